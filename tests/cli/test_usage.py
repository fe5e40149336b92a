"""How the commands are called, and what becomes of a wrong call or a missing server."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from postflow.cli import app
from postflow.ledger import Ledger, observations, registry, roots
from postflow.sandbox import Sandbox
from postflow.service.console import Exit
from postflow.service.studio_file import read_studio_file
from postflow.state import remember_studio
from tests.cli.command_line import CommandLine
from tests.ledger.ground import media, sighting
from tests.support.wait import wait_until_sync

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_each_of_its_options(command: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"])
    assert told.exit_code == 0
    parameters = get_command(app).commands[command].params  # type: ignore[attr-defined]
    for parameter in parameters:
        assert getattr(parameter, "help", None), f"{command}: {parameter.name}"


@pytest.mark.parametrize(
    "call",
    [
        ["upload"],
        ["upload", "a.mov", "--colour", "red"],
        ["fly"],
        ["name"],
        ["sandbox", "--port", "many"],
        ["retry"],
        ["retry", ""],
        ["up", "--port", "99999"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_told_and_ends_with_2(call: list[str]) -> None:
    told = CliRunner().invoke(app, call)
    assert told.exit_code == Exit.USAGE
    assert "Usage:" in told.output


def test_help_waits_for_nothing_that_a_command_works_with() -> None:
    """Importing Prefect takes seconds, the others most of one."""
    heavy = {"prefect", "sqlalchemy", "aiohttp", "cryptography"}
    code = f"import sys, postflow.cli; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ctrl_c_while_the_command_is_imported_leaves_no_traceback() -> None:
    code = (
        "import os, signal, sys\n"
        "class Ctrl:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Ctrl())\n"
        "from postflow.__main__ import main; main()"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["setup", "--file", "nowhere.toml"], "studio.file"),
        (["setup"], "setup.no_terminal"),
        (["up", "--file", "nowhere.toml"], "studio.file"),
        (["up", "--backfill", "some"], "watch.backfill"),
        (["upload", "nowhere.mov"], "file.missing"),
        (["status"], "prefect.address"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else each,
)
def test_what_is_wrong_with_a_call_is_told_before_prefect_is_imported(
    call: list[str], says: str
) -> None:
    code = (
        "import sys; from postflow.cli import main\n"
        "try: main()\nfinally: print([each for each in sys.modules if each == 'prefect'])"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code, *call],
        env=os.environ | {"PREFECT_API_URL": "nonsense"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert says in ran.stderr
    assert ran.stdout.splitlines()[-1] == "[]"


def test_the_version_is_told_and_help_has_its_short_name() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).stdout == f"postflow {version('postflow')}\n"
    assert "Usage:" in runner.invoke(app, ["status", "-h"]).stdout


def test_the_shell_completes_studios_and_clips(
    private_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger.open() as ledger:
        root = roots.add(ledger, "north", Path("/mnt/show"))
        clip = "SQ07/SQ07_UNDLM_00152_v003.mov"
        observations.observe(ledger, root, [sighting(root, clip)])
        registry.register(ledger, root, media(root, clip))
    remember_studio("north", {"naming": "undlm", "rules": [], "ledger": None})
    monkeypatch.setenv("_POSTFLOW_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_CWORD", "4")
    monkeypatch.setenv("COMP_WORDS", "postflow retry --studio north SQ07_U")
    assert CliRunner().invoke(app, []).stdout.split() == ["SQ07_UNDLM_00152_v003.mov"]
    monkeypatch.setenv("COMP_CWORD", "3")
    monkeypatch.setenv("COMP_WORDS", "postflow retry --studio n")
    assert CliRunner().invoke(app, []).stdout.split() == ["north"]


@pytest.mark.prefect
def test_a_prefect_server_that_is_not_there_is_told(postflow: CommandLine) -> None:
    ran = postflow("check", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert ran.code == Exit.RETRY
    assert "Prefect's server cannot be reached" in ran.err
    assert "PREFECT_API_URL" in ran.err


@pytest.mark.prefect
@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("PREFECT_API_URL", "http://127.0.0.1:4200", "prefect.address"),
        ("PREFECT_API_URL", "nonsense", "prefect.address"),
        ("POSTFLOW_STATE_DIR", "/dev/null/state", "postflow.state_dir"),
    ],
)
def test_an_environment_that_cannot_work_is_told(
    postflow: CommandLine, variable: str, value: str, code: str
) -> None:
    ran = postflow("status", **{variable: value})
    assert ran.code == Exit.FATAL
    assert variable in ran.err
    assert f"[{code}]" in ran.err


NAME = [sys.executable, "-m", "postflow", "name", "--preset", "undlm", "nobody knows this.mov"]


def test_a_terminal_that_knows_few_characters_is_told_with_those() -> None:
    ran = subprocess.run(
        NAME, env={"PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False
    )
    assert ran.returncode == Exit.SKIPPED, ran.stderr
    assert b"nobody knows this.mov" in ran.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(NAME, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == Exit.RETRY, ran.stderr
    assert "[postflow.disk_full]" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.prefect
def test_the_sandbox_tells_its_addresses_and_goes_when_asked(
    postflow: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "studio.toml"
    running = postflow.start("sandbox", "--json", "--studio-file", file)
    shown = running.streams["out"]
    wait_until_sync(lambda: shown.read_text().endswith("\n"), description="the addresses")
    running.signal(signal.SIGTERM)

    ran = running.wait()

    assert ran.code == Exit.TERMINATED
    text = file.read_text()
    studio = tomllib.loads(text)
    assert studio["adobe"]["client_secret"] == ran.json["client_secret"]
    assert studio["frameio"]["base_url"] == ran.json["url"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text(text.replace("# [", "[").replace("# folders", "folders"))
    assert read_studio_file(file).studio.watching.folders == (Path("/path/to/exports"),)
    assert not Path(ran.json["ngrok_path"]).exists(), "its folder is removed"
    with pytest.raises(httpx.ConnectError):
        httpx.get(ran.json["url"])


@pytest.mark.prefect
def test_a_port_that_is_taken_is_told(postflow: CommandLine, world: Sandbox) -> None:
    taken = httpx.URL(world.url).port
    ran = postflow("sandbox", "--port", str(taken))
    assert ran.code == Exit.FATAL
    assert f"cannot listen at port {taken}" in ran.err
    assert "--port" in ran.err


@pytest.mark.parametrize("command", ["watch", "serve"])
def test_what_two_processes_need_to_share_a_server_for_is_refused_without_one(
    command: str, tmp_path: Path
) -> None:
    """Each would start a temporary one, and neither would hear of the other."""
    ran = subprocess.run(
        [sys.executable, "-m", "postflow", command],
        env={"POSTFLOW_STATE_DIR": str(tmp_path / "state"), "PREFECT_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == Exit.FATAL, ran.stderr
    assert "[prefect.none]" in ran.stderr
