"""PostFlow from a wheel, in the folder of somebody who has flows, tasks and blocks of his own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import httpx
import psutil
import pytest

from postflow.ledger import Ledger, Phase, queries
from postflow.outlet.tunnel import free_port
from postflow.sandbox.clips import clip_path
from tests.support.prefect_home import migrated
from tests.support.signed_in import SignedIn
from tests.support.wait import wait_until_sync
from tests.watch.conftest import clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
UV = str(shutil.which("uv", path=f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ['PATH']}"))
WATCHED, BY_HAND, BY_SCRIPT = (f"SQ07_UNDLM_0015{number}_v001.mov" for number in (2, 3, 4))
THEIRS = ("flows/__init__.py", "blocks/__init__.py", "sandbox/__init__.py", "tasks.py")
SCRIPT = """
import asyncio, sys
from pathlib import Path

import postflow
assert "prefect" not in sys.modules, "importing postflow alone is quick"
from postflow import deliver

delivery = asyncio.run(deliver(Path(sys.argv[1])))
print(delivery.view_url)
"""
WATCHING = '[studio.watching]\nfolders = ["{}"]\nquiet = 0.2\ninterval = 0.2\nidle_timeout = 1.0\n'


class Stranger(NamedTuple):
    """A folder with modules of its own, and the commands that are installed elsewhere."""

    home: Path
    folder: Path
    bin: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment() | {
            "POSTFLOW_STATE_DIR": str(self.home / "state"),
            "PREFECT_HOME": str(migrated(self.home / "prefect")),
        }

    def run(self, command: str, *arguments: str, **environment: str) -> str:
        """What it prints; it has to succeed."""
        done = subprocess.run(
            [str(self.bin / command), *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Path]:
        """The log of a command that runs until it is stopped."""
        log = self.home / f"{arguments[0]}.log"
        with log.open("wb") as file:
            command = [str(self.bin / "postflow"), *arguments]
            process = psutil.Popen(
                command, cwd=self.folder, env=self.environment, stdout=file, stderr=file
            )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(120)

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        auth = SignedIn((self.home / "state" / "prefect-password").read_text())
        url = f"http://127.0.0.1:{self.port}/api/{path}"
        return httpx.post(url, json=body, auth=auth, timeout=20).raise_for_status().json()


def build(target: Path, *options: str) -> Path:
    """Through the source distribution, if no option says otherwise."""
    command = [UV, "build", "--quiet", "--out-dir", str(target), *options, str(ROOT)]
    subprocess.run(command, check=True)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def stranger(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """An environment with the wheel; what it needs is lent by ours, which is no site folder there,
    so that the checkout is not.
    """
    home = tmp_path_factory.mktemp("stranger")
    venv, folder = home / "venv", home / "project"
    (home / "state").mkdir(mode=0o700)
    (home / "watched").mkdir()
    for each in THEIRS:
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_text("raise RuntimeError('of somebody else')\n")
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, str(venv)], check=True)
    install = ("pip", "install", "-q", "--no-deps", "--python", str(venv), str(wheel))
    subprocess.run([UV, *install], check=True)
    (site,) = (venv / "lib").glob("*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    script = (Path(sys.executable).parent / "prefect").read_text().partition("\n")[2]
    prefect = venv / "bin" / "prefect"
    prefect.write_text(f"#!{venv / 'bin' / 'python'}\n{script}")
    prefect.chmod(0o755)
    return Stranger(home, folder, venv / "bin", free_port())


@pytest.fixture(scope="module")
def up(stranger: Stranger) -> Iterator[Stranger]:
    """`postflow up` against `postflow sandbox`, both from the stranger's folder."""
    file = stranger.home / "studio.toml"
    with stranger.running("sandbox", "--studio-file", str(file)) as log:
        wait_until_sync(lambda: "sandbox is at" in log.read_text(), description="the sandbox")
        with file.open("a") as more:
            more.write(WATCHING.format(stranger.home / "watched"))
        given = ("--file", str(file), "--port", str(stranger.port), "--backfill", "none")
        with stranger.running("up", *given) as log:
            watches = "PostFlow watches"
            wait_until_sync(lambda: watches in log.read_text(), timeout=240, description="up")
            yield stranger


def clip(folder: Path, name: str) -> Path:
    """Each is other content than the next: a copy would not be sent."""
    hidden = folder / f".{name}"
    hidden.write_bytes(clip_path().read_bytes() + b"\0\0\0\x0dmdat" + name[10:15].encode())
    return hidden.rename(folder / name)


def test_nothing_generic_is_installed_and_what_is_not_python_comes_along(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert sorted(top.partition("-")[0] for top in tops) == ["postflow", "postflow"]
    assert {
        "postflow/prefect.yaml",
        "postflow/sandbox/frameio/openapi.json",
        f"postflow/sandbox/clips/{clip_path().name}",
    } <= names


def test_a_wheel_holds_the_same_with_and_without_a_source_distribution(
    wheel: Path, tmp_path: Path
) -> None:
    directly = build(tmp_path, "--wheel")
    assert set(ZipFile(directly).namelist()) == set(ZipFile(wheel).namelist())


def test_a_dropped_clip_is_delivered(up: Stranger) -> None:
    clip(up.home / "watched", WATCHED)

    def is_delivered() -> bool:
        with Ledger.open(up.home / "state" / "ledger.db") as ledger:
            return [row.phase for row in queries.rows(ledger, name=WATCHED)] == [Phase.DELIVERED]

    wait_until_sync(is_delivered, timeout=120, description=WATCHED)


def test_a_clip_is_uploaded_by_hand(up: Stranger) -> None:
    path = clip(up.home, BY_HAND)
    (told,) = json.loads(up.run("postflow", "upload", str(path), "--json"))
    assert told["view_url"]


def test_a_script_delivers_without_being_told_of_the_server(up: Stranger) -> None:
    script = up.folder / "send.py"
    script.write_text(SCRIPT)
    path = clip(up.home, BY_SCRIPT)
    assert "/view/" in up.run("python", str(script), str(path))


def test_prefect_deploys_with_the_file_that_comes_along(up: Stranger) -> None:
    shipped = ("-c", "import importlib.resources as r; print(r.files('postflow') / 'prefect.yaml')")
    shutil.copy(up.run("python", *shipped).strip(), up.folder)
    up.ask("work_pools/", {"name": "postflow", "type": "process"})
    up.run(
        *("prefect", "--no-prompt", "deploy", "--all"),
        PREFECT_API_URL=f"http://127.0.0.1:{up.port}/api",
        PREFECT_API_AUTH_STRING=up.run("postflow", "ui", "--password").strip(),
    )
    pools = {"work_pools": {"name": {"any_": ["postflow"]}}}
    found = {each["name"]: each for each in up.ask("deployments/filter", pools)}
    assert {name: each["entrypoint"] for name, each in found.items()} == {
        "deliver": "postflow.flows.deliver.deliver",
        "ingest": "postflow.flows.ingest.ingest",
    }
    for each in found.values():
        assert str(up.folder) not in str(each), "a worker needs no such folder"
