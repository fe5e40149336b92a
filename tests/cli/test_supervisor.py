"""What `postflow up` starts: started again when it ends, and gone when `up` is."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from postflow.blocks.discord import DiscordWebhook
from postflow.cli.up import People
from postflow.engine import parent
from postflow.errors import Fatal
from postflow.sandbox import Sandbox
from postflow.service import supervisor
from postflow.service.console import Exit
from postflow.service.supervisor import AGAIN, PYTHON, Part, end_leftovers
from tests.support.wait import wait_until_sync

# SIGTERM is waited for, not handled: a handler that is due just before `signal.pause()`, or by way
# of the other thread, wakes nobody.
STAYS = """
import signal, sys, time
from postflow.engine.parent import end_with_parent
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
end_with_parent(last=sys.argv[1] == "server")
print(sys.argv[1], file=open("starts", "a"))
signal.sigwait({signal.SIGTERM})
time.sleep(float(sys.argv[2]))
print(sys.argv[1], file=open("ends", "a"))
"""
TALKS = """
import itertools, time
from postflow.service.supervisor import be_a_part
be_a_part()
for number in itertools.count():
    print("line", number, flush=True)
    time.sleep(0.0001)
"""
FAILS = 'print("✗ The folder is gone. [scan.gone]"); raise SystemExit(5)'
STARTS = """
import subprocess, sys
subprocess.run([sys.executable, "-m", "stays", "grandchild", "0"])
"""
PARENT = """
import pathlib, time
from postflow.service.supervisor import Part
log = pathlib.Path("log").absolute()
server = Part("server", "stays", "server", "0", log_path=log, pauses=[0])
with server.running(), Part("part", "stays", "part", "0.3", log_path=log).running():
    while True:
        server.look()
        time.sleep(0.01)
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the modules that are run; it is the children's working directory too."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "stays.py").write_text(STAYS)
    (tmp_path / "talks.py").write_text(TALKS)
    (tmp_path / "fails.py").write_text(FAILS)
    (tmp_path / "starts_another.py").write_text(STARTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def look_until(part: Part, predicate: Callable[[], bool]) -> None:
    def looks() -> bool:
        part.look()
        return predicate()

    wait_until_sync(looks, description="what the looks cause")


def test_a_part_that_was_killed_is_started_again(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Part("part", "stays", "it", "0", log_path=modules / "log", pauses=[0])
    with part.running():
        wait_until_sync(lambda: told(modules / "starts") == ["it"], description="its start")
        part.process.kill()
        part.process.wait()
        look_until(part, lambda: told(modules / "starts") == ["it", "it"])
    assert told(modules / "ends") == ["it"]
    assert capsys.readouterr().err.endswith("started again in 0 s.\n"), "it left no last words"


def test_what_a_killed_part_has_started_is_ended_too(modules: Path) -> None:
    """A runner that the kernel kills leaves the run that holds the tunnel open."""
    with Part("part", "starts_another", log_path=modules / "log", pauses=[600]).running() as part:
        wait_until_sync(lambda: told(modules / "starts"), description="the grandchild")
        part.process.kill()
        part.process.wait()
        part.look()
    assert told(modules / "ends") == ["grandchild"]


def test_what_a_killed_part_has_left_holds_nobody_up(modules: Path) -> None:
    with Part("part", "starts_another", log_path=modules / "log", pauses=[0]).running() as part:
        wait_until_sync(lambda: told(modules / "starts"), description="the grandchild")
        killed, (grandchild,) = part.process, part.process.children()
        grandchild.suspend()
        killed.kill()
        killed.wait()
        part.look()
        part.look()
        assert grandchild.is_running(), "it is not waited for"
        assert part.process is killed, "but nothing takes its place yet"
        grandchild.resume()
    assert told(modules / "ends") == ["grandchild"]


def test_a_part_that_does_not_last_is_given_up_with_its_reason(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Part("look-out", "fails", log_path=modules / "log", pauses=[0, 0])
    with part.running(), pytest.raises(Fatal, match="The folder is gone") as raised:
        wait_until_sync(part.look, description="the end of patience")
    assert raised.value.code == "up.ended"
    assert str(modules / "log") in raised.value.hint
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "look-out ended with code 5; it is started again" in lines[0]


def test_a_part_that_ends_for_a_reason_that_passes_is_never_given_up(modules: Path) -> None:
    (modules / "fails.py").write_text(FAILS.replace("5", str(int(Exit.RETRY))))
    part = Part("look-out", "fails", log_path=modules / "log", pauses=[0, 0])
    starts = set()

    def looks() -> bool:
        part.look()
        starts.add(part.process.pid)
        return len(starts) == 5

    with part.running():
        wait_until_sync(looks, description="more starts than there are pauses")


async def test_people_hear_once_that_a_part_does_not_last_and_that_all_has_ended(
    modules: Path, world: Sandbox
) -> None:
    people = People()
    webhook = DiscordWebhook(url=SecretStr(world.discord_webhook_url))
    for _ in range(2):
        people.add(webhook)
    part = Part("look-out", "fails", log_path=modules / "log", pauses=[0] * (AGAIN + 1))

    def look_to_the_end() -> None:
        with part.running(), pytest.raises(Fatal):
            wait_until_sync(lambda: people.look_after(part), description="the end of patience")

    await asyncio.to_thread(look_to_the_end)
    told = [message["embeds"][0] for message in world.messages()]
    assert [each["title"] for each in told] == [
        "A part of PostFlow does not last",
        "PostFlow has stopped",
    ]
    assert all("The folder is gone" in each["description"] for each in told)


def test_the_log_of_the_time_before_is_kept(modules: Path) -> None:
    (modules / "log").write_text("before")
    with Part("part", "fails", log_path=modules / "log").running() as part:
        part.process.wait()
    assert (modules / "log.1").read_text() == "before"
    assert "The folder is gone" in (modules / "log").read_text()


def test_a_log_that_grows_long_begins_anew_and_the_part_writes_on(modules: Path) -> None:
    log = modules / "log"
    part = Part("part", "talks", log_path=log, longest_log=10_000)
    with part.running():
        wait_until_sync(lambda: log.stat().st_size > 10_000, description="a long log")
        part.look()
        kept = (modules / "log.1").read_text()
        wait_until_sync(lambda: log.exists() and log.stat().st_size, description="the next line")
    assert kept.startswith("line 0\nline 1\n")
    assert log.read_text(errors="strict").count("\0") == 0
    assert int(log.read_text().splitlines()[-1].split()[1]) > kept.count("\n")


@pytest.mark.parametrize("tidied", ["removed", "renamed"])
def test_a_log_that_somebody_tidies_away_is_made_anew(modules: Path, tidied: str) -> None:
    log = modules / "log"
    with Part("part", "talks", log_path=log).running() as part:
        wait_until_sync(lambda: log.stat().st_size > 0, description="its first words")
        log.rename(modules / "kept") if tidied == "renamed" else log.unlink()
        look_until(part, lambda: log.exists() and log.stat().st_size > 0)
        assert part.process.poll() is None
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_turned_or_read_ends_nobody(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a full disk: what is there already is emptied all the same."""
    log = modules / "log"
    (modules / "log.1").mkdir()
    part = Part("part", "talks", log_path=log, longest_log=10_000, pauses=[0])
    with part.running():
        wait_until_sync(lambda: log.stat().st_size > 10_000, description="a long log")
        part.process.suspend()
        part.look()
        assert log.stat().st_size == 0
        log.unlink()
        log.mkdir()
        part.process.kill()
        part.process.wait()
        killed = part.process
        look_until(part, lambda: part.process is not killed)
    assert "part ended with code -9" in capsys.readouterr().err


def test_a_part_that_cannot_be_started_again_is_tried_later(
    modules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where memory or processes are short for a while."""
    part = Part("part", "stays", "it", "0", log_path=modules / "log", pauses=[0])
    with part.running():
        wait_until_sync(lambda: told(modules / "starts") == ["it"], description="its start")
        with monkeypatch.context() as short:
            short.setattr(supervisor, "PYTHON", (str(modules / "no python"),))
            part.process.kill()
            part.process.wait()
            look_until(part, lambda: "cannot be started" in capsys.readouterr().err)
        look_until(part, lambda: told(modules / "starts") == ["it", "it"])


LOADS = """
from postflow.state import leave_working_directory
leave_working_directory()
from prefect.flows import load_flow_from_entrypoint
for flow in "postflow.flows.ingest.ingest", "postflow.flows.deliver.deliver":
    load_flow_from_entrypoint(flow)
"""
STRANGERS = ("tasks.py", "blocks.py", "sandbox.py", "prefect.py", "httpx.py", "flows/__init__.py")


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of somebody else's is the working directory."""
    for name in STRANGERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('a stranger was imported')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_parts_import_nothing_of_the_working_directory(strangers: Path) -> None:
    log = strangers / "log"
    with Part("part", "postflow", "scan", "--help", log_path=log).running() as part:
        assert part.process.wait() == 0, log.read_text()


def test_a_run_takes_its_flow_from_here(strangers: Path) -> None:
    """Prefect would look for it in the working directory first."""
    module = strangers / "modules" / "loads.py"
    module.parent.mkdir()
    module.write_text(LOADS)
    ours = {"PYTHONPATH": str(module.parent), "POSTFLOW_STATE_DIR": "modules"}
    ran = subprocess.run(
        [*PYTHON, "loads"], env=os.environ | ours, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_command_imports_nothing_of_the_working_directory(strangers: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "postflow", "serve"],
        env={"PREFECT_API_URL": "http://127.0.0.1:9/api", "POSTFLOW_STATE_DIR": str(strangers)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "[prefect.unreachable]" in ran.stderr


def test_nothing_outlives_a_parent_that_was_killed_and_the_server_ends_last(modules: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT]) as parent:
        wait_until_sync(lambda: len(told(modules / "starts")) == 2, description="both")
        parent.kill()
    wait_until_sync(lambda: len(told(modules / "ends")) == 2, description="their end")
    assert told(modules / "ends") == ["part", "server"]


def test_a_server_that_was_started_again_ends_last_too(modules: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT]) as parent:
        wait_until_sync(lambda: len(told(modules / "starts")) == 2, description="both")
        first = next(
            each for each in psutil.Process(parent.pid).children() if "server" in each.cmdline()
        )
        first.kill()
        wait_until_sync(lambda: len(told(modules / "starts")) == 3, description="the next server")
        parent.kill()
    wait_until_sync(lambda: len(told(modules / "ends")) == 2, description="their end")
    assert told(modules / "ends") == ["part", "server"]


@pytest.fixture
def left_over(modules: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A part of the group `here`, that does not notice its parent's end."""
    command, group = [*PYTHON, "stays", "it", "0"], {parent.GROUP: str(modules / "here")}
    with subprocess.Popen(
        command, env=os.environ | group, stdin=subprocess.PIPE, start_new_session=True
    ) as child:
        wait_until_sync(lambda: told(modules / "starts"), description="its start")
        yield child
        child.kill()


def test_what_an_earlier_up_has_left_is_ended_and_nobody_elses(
    modules: Path, left_over: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "GRACE", 0.1)
    end_leftovers(modules / "elsewhere")
    assert left_over.poll() is None
    end_leftovers(modules / "here")
    assert left_over.wait(timeout=60) == 0
    assert told(modules / "ends") == ["it"]


def test_a_signal_ends_a_part_as_its_module_would_end(
    modules: Path, left_over: subprocess.Popen[bytes]
) -> None:
    left_over.send_signal(signal.SIGTERM)
    assert left_over.wait(timeout=60) == 0
    assert told(modules / "ends") == ["it"]
