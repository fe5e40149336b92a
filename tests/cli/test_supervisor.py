"""What `postflow up` starts: started again when it ends, and gone when `up` is."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from postflow.blocks import AdobeTokens, DiscordWebhook, FrameioAccount, Studio
from postflow.cli.news import News
from postflow.cli.up import _supervise
from postflow.engine import parent
from postflow.engine.heartbeat import tell_people
from postflow.errors import Fatal
from postflow.sandbox import Sandbox
from postflow.service import supervisor
from postflow.service.console import Exit
from postflow.service.supervisor import AGAIN, PYTHON, Part, Tell, end_leftovers
from tests.support.wait import wait_until, wait_until_sync

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
import asyncio, pathlib
from postflow.service.supervisor import Part
log = pathlib.Path("log").absolute()
server = Part("server", ("stays", "server", "0"), log, pauses=[0])
with server.running(), Part("part", ("stays", "part", "0.3"), log).running():
    asyncio.run(server.keep_running(None))
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


async def nobody_hears(title: str, text: str) -> None:
    raise AssertionError(f"People were told: {title}: {text}")


@asynccontextmanager
async def kept(part: Part, tell: Tell = nobody_hears) -> AsyncIterator[Part]:
    """Started, and kept running."""
    with part.running():
        keeping = asyncio.create_task(part.keep_running(tell))
        try:
            yield part
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])


async def test_a_part_that_was_killed_is_started_again(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with kept(Part("part", ("stays", "it", "0"), modules / "log", pauses=[0])) as part:
        await wait_until(lambda: told(modules / "starts") == ["it"], description="its start")
        part.process.kill()
        await wait_until(lambda: told(modules / "starts") == ["it", "it"], description="the next")
    assert told(modules / "ends") == ["it"]
    assert capsys.readouterr().err.endswith("started again in 0 s.\n"), "it left no last words"


async def test_a_ledger_that_does_not_answer_holds_up_nothing_that_is_kept_running() -> None:
    goes_on, told = threading.Event(), list[bool]()

    class Hangs(News):
        def tell(self) -> None:
            told.append(goes_on.wait(30))

    async def part() -> None:
        goes_on.set()

    keeping = asyncio.create_task(_supervise([], [Hangs("main", None)], [part], nobody_hears))
    await wait_until(lambda: told, description="what is new")
    keeping.cancel()
    assert told[0]


async def test_a_part_that_has_just_ended_may_be_restarted_all_the_same(modules: Path) -> None:
    with Part("a part", ("fails",), modules / "log").running() as part:
        await wait_until(lambda: part.process.poll() is not None, description="its end")
        part.restart()


async def test_what_a_killed_part_has_started_is_ended_too(modules: Path) -> None:
    """A runner that the kernel kills leaves the run that holds the tunnel open."""
    async with kept(Part("part", ("starts_another",), modules / "log", pauses=[600])) as part:
        await wait_until(lambda: told(modules / "starts"), description="the grandchild")
        part.process.kill()
        await wait_until(lambda: told(modules / "ends"), description="its end")
    assert told(modules / "ends") == ["grandchild"]


async def test_what_a_killed_part_has_left_holds_nobody_up(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with kept(Part("part", ("starts_another",), modules / "log", pauses=[0])) as part:
        await wait_until(lambda: told(modules / "starts"), description="the grandchild")
        killed, (grandchild,) = part.process, part.process.children()
        grandchild.suspend()
        killed.kill()
        said = capsys.readouterr
        await wait_until(lambda: "started again in 0 s" in said().err, description="the pause")
        await asyncio.sleep(0)
        assert grandchild.is_running(), "it is not waited for"
        assert part.process is killed, "but nothing takes its place yet"
        grandchild.resume()
        await wait_until(lambda: part.process is not killed, description="the next")
        assert told(modules / "ends") == ["grandchild"]


async def give_up_on(part: Part, people: Tell) -> Fatal:
    with part.running(), pytest.raises(Fatal, match="The folder is gone") as raised:
        await part.keep_running(people)
    return raised.value


async def test_a_part_that_does_not_last_is_given_up_with_its_reason(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Part("watcher", ("fails",), modules / "log", pauses=[0, 0])
    error = await give_up_on(part, partial(tell_people, []))
    assert error.code == "up.ended"
    assert str(modules / "log") in error.hint
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "watcher ended with code 5; it is started again" in lines[0]


async def test_the_pauses_grow_and_begin_anew_once_a_part_has_lasted(
    modules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Part("part", ("fails",), modules / "log", pauses=[0, 0.6, 1.2])
    await give_up_on(part, partial(tell_people, []))
    waits = [line.split(" again in ")[1][:3] for line in capsys.readouterr().err.splitlines()]
    assert waits == ["0 s", "1 s", "1 s"]

    monkeypatch.setattr(supervisor, "STEADY", 0.0)
    lines: list[str] = []

    def has_ended_often() -> bool:
        lines.extend(capsys.readouterr().err.splitlines())
        return len(lines) > len(part.pauses)

    async with kept(part):
        await wait_until(has_ended_often, description="more ends than there are pauses")
    assert all("again in 0 s" in line for line in lines)


async def test_a_part_that_ends_for_a_reason_that_passes_is_never_given_up(modules: Path) -> None:
    (modules / "fails.py").write_text(FAILS.replace("5", str(int(Exit.RETRY))))
    part = Part("watcher", ("fails",), modules / "log", pauses=[0, 0])
    starts = set()

    def has_started_often() -> bool:
        starts.add(part.process.pid)
        return len(starts) == 5

    async with kept(part, partial(tell_people, [])):
        await wait_until(has_started_often, description="more starts than there are pauses")


async def test_people_hear_once_that_a_part_does_not_last_and_that_all_has_ended(
    modules: Path, world: Sandbox
) -> None:
    account = FrameioAccount(adobe=AdobeTokens(client_id="unused"), project="unused")
    webhook = DiscordWebhook(url=SecretStr(world.discord_webhook_url))
    studio = Studio(frameio=account, discord=webhook)
    part = Part("watcher", ("fails",), modules / "log", pauses=[0] * (AGAIN + 1))
    await give_up_on(part, partial(tell_people, [studio, studio]))
    told = [message["embeds"][0] for message in world.messages()]
    assert [each["title"] for each in told] == [
        "A part of PostFlow does not last",
        "PostFlow has stopped",
    ]
    assert all("The folder is gone" in each["description"] for each in told)


def test_the_log_of_the_time_before_is_kept(modules: Path) -> None:
    (modules / "log").write_text("before")
    with Part("part", ("fails",), modules / "log").running() as part:
        part.process.wait()
    assert (modules / "log.1").read_text() == "before"
    assert "The folder is gone" in (modules / "log").read_text()


async def test_a_log_that_grows_long_begins_anew_and_the_part_writes_on(modules: Path) -> None:
    log, old = modules / "log", modules / "log.1"
    async with kept(Part("part", ("talks",), log, longest_log=10_000)):
        await wait_until(old.exists, description="a long log")
        before = old.read_text()
        await wait_until(lambda: log.exists() and log.stat().st_size, description="the next line")
        after = log.read_text(errors="strict")
    assert before.startswith("line 0\nline 1\n")
    assert "\0" not in after
    assert int(after.splitlines()[-1].split()[1]) > before.count("\n")


@pytest.mark.parametrize("tidied", ["removed", "renamed"])
async def test_a_log_that_somebody_tidies_away_is_made_anew(modules: Path, tidied: str) -> None:
    log = modules / "log"
    async with kept(Part("part", ("talks",), log)) as part:
        await wait_until(lambda: log.stat().st_size, description="its first words")
        log.rename(modules / "kept") if tidied == "renamed" else log.unlink()
        await wait_until(lambda: log.exists() and log.stat().st_size, description="more of them")
        assert part.process.poll() is None
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


async def test_a_log_that_cannot_be_turned_or_read_ends_nobody(
    modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a full disk: what is there already is emptied all the same."""
    log = modules / "log"
    (modules / "log.1").mkdir()
    async with kept(Part("part", ("talks",), log, pauses=[0])) as part:
        await wait_until(lambda: log.stat().st_size > 10_000, description="a long log")
        part.process.suspend()
        part.longest_log = 10_000
        await wait_until(lambda: log.stat().st_size == 0, description="an empty one")
        log.unlink()
        log.mkdir()
        killed = part.process
        killed.kill()
        await wait_until(lambda: part.process is not killed, description="the next")
    assert "part was killed (SIGKILL)" in capsys.readouterr().err


async def test_a_part_that_cannot_be_started_again_is_tried_later(
    modules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where memory or processes are short for a while."""
    async with kept(Part("part", ("stays", "it", "0"), modules / "log", pauses=[0])) as part:
        await wait_until(lambda: told(modules / "starts") == ["it"], description="its start")
        with monkeypatch.context() as short:
            short.setattr(supervisor, "PYTHON", (str(modules / "no python"),))
            part.process.kill()
            said = capsys.readouterr
            await wait_until(lambda: "cannot be started" in said().err, description="a word of it")
        await wait_until(lambda: told(modules / "starts") == ["it", "it"], description="the next")


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
    with Part("part", ("postflow", "scan", "--help"), log).running() as part:
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
