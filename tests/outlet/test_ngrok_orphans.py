"""No agent outlives its tunnel; where PostFlow itself was killed, not the next start."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from pyngrok import process

from postflow.outlet.ngrok.folder import end_child, reap
from tests.support.agents import TOKEN, Agents
from tests.support.wait import wait_until, wait_until_sync

NOWHERE = "http://127.0.0.1:9"

OPEN_A_TUNNEL = """
import asyncio, signal, sys
from pathlib import Path
from pydantic import SecretStr
from postflow.outlet.ngrok.provider import NgrokProvider

ngrok, token, state, end = sys.argv[1:]
provider = NgrokProvider(
    ngrok_path=Path(ngrok), authtoken=SecretStr(token), state_dir=Path(state), open_timeout=0
)

if end == "exit":
    loop = asyncio.new_event_loop()
    opened = provider.open("http://127.0.0.1:9")
    loop.run_until_complete(opened.__aenter__())
    print("open", flush=True)
    sys.exit(0)

async def hold():
    if end == "cancelled":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    opened = provider.open("http://127.0.0.1:9")
    await opened.__aenter__()
    print("open", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await opened.__aexit__(None, None, None)

asyncio.run(hold())
"""


@contextmanager
def another_postflow(agents: Agents, end: str) -> Iterator[subprocess.Popen[str]]:
    """A process with an open tunnel."""
    command: list[str | Path] = [sys.executable, "-c", OPEN_A_TUNNEL]
    command += [agents.ngrok(), TOKEN, agents.state, end]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "open\n"
            yield other
        finally:
            other.kill()


def test_agent_left_by_a_killed_process_is_reaped_at_the_next_start(agents: Agents) -> None:
    with another_postflow(agents, "killed") as other:
        other.kill()
    (orphan,) = [p for p, command in agents.running().items() if "ngrok_agent" in command]
    assert orphan.is_running()
    assert reap(agents.state) == 1
    assert agents.leftovers() == []


async def test_opening_a_tunnel_reaps_first(agents: Agents) -> None:
    with another_postflow(agents, "killed") as other:
        other.kill()
    (orphan,) = [p for p, command in agents.running().items() if "ngrok_agent" in command]
    async with agents.provider().open(NOWHERE):
        (agent,) = agents.processes()
        assert agent != orphan


def test_agent_of_a_process_that_lives_is_spared(agents: Agents) -> None:
    with another_postflow(agents, "killed") as other:
        assert reap(agents.state) == 0
        assert len([p for p in agents.processes() if p.ppid() == other.pid]) == 1
        other.kill()
        other.wait()
        assert reap(agents.state) == 1


async def test_agent_of_our_own_process_is_spared(agents: Agents) -> None:
    async with agents.provider().open(NOWHERE) as tunnel:
        assert await asyncio.to_thread(reap, agents.state) == 0
        await tunnel.check()


def test_strangers_are_spared(agents: Agents) -> None:
    """The folder of a dead owner is removed; a process that only looks alike lives on."""
    with another_postflow(agents, "killed") as other:
        other.kill()
    (folder,) = [p for p in (agents.state / "ngrok").iterdir() if p.is_dir()]
    sleeper = ["sleep", "60"]
    lookalike = [sys.executable, "-c", "input()", f"{folder}/ngrok.yml.bak"]
    with ExitStack() as strangers:
        started = [
            strangers.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE))
            for command in (sleeper, lookalike)
        ]
        reap(agents.state)
        assert [stranger.poll() for stranger in started] == [None, None]
        for stranger in started:
            stranger.kill()
    assert not folder.exists()


@pytest.mark.parametrize("end", ["cancelled", "exit"])
def test_agent_goes_with_its_process(agents: Agents, end: str) -> None:
    """SIGTERM that cancels, as Prefect has it; and an exit that never left the block."""
    with another_postflow(agents, end) as other:
        if end == "cancelled":
            other.send_signal(signal.SIGTERM)
        other.wait(timeout=30)
    assert agents.leftovers() == []


async def test_cancelling_while_the_agent_hangs_leaves_nothing(agents: Agents) -> None:
    provider = agents.provider({"what": "agent_hang"}, startup_timeout=60)
    opening = asyncio.ensure_future(provider.open(NOWHERE).__aenter__())
    await wait_until(lambda: any(" start " in each for each in agents.running().values()))
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert agents.leftovers() == []


async def test_cancelling_before_there_is_a_process_leaves_nothing(agents: Agents) -> None:
    """pyngrok's lock keeps the start waiting, as another agent's start does."""
    locked = process._current_processes_lock  # noqa: SLF001 - the lock in question
    locked.acquire()
    try:
        opening = asyncio.ensure_future(agents.provider().open(NOWHERE).__aenter__())
        await wait_until(lambda: list((agents.state / "ngrok").glob("*/ngrok.yml")))
        opening.cancel()
        await asyncio.sleep(0.1)
        assert not opening.done()
    finally:
        locked.release()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert agents.leftovers() == []


async def test_agent_behind_a_wrapper_that_stays_goes_too(agents: Agents) -> None:
    ngrok = agents.ngrok()
    ngrok.write_text(ngrok.read_text().replace("exec ", "") + "exit 0\n")
    async with agents.provider(ngrok=ngrok).open(NOWHERE):
        assert len(agents.processes()) == 2
    await wait_until(lambda: not agents.processes(), description="both to end")


async def test_endpoint_is_closed_before_the_agent_is_ended(agents: Agents) -> None:
    """An agent that had to be killed would hold the address until ngrok's heartbeat stops."""
    ngrok, log = agents.ngrok(), agents.folder / "agent.log"
    heard = f'"$@" | (trap "" TERM; exec tee -a {log})'
    ngrok.write_text(ngrok.read_text().replace("exec ", "").replace('"$@"', heard))
    async with agents.provider(ngrok=ngrok).open(NOWHERE):
        pass
    await wait_until(lambda: not agents.processes(), description="all to end")
    await wait_until(lambda: _calls(log, "/api/endpoints/postflow"), description="the log")
    assert _calls(log, "/api/endpoints/postflow")[-1].endswith("status=204")


async def test_cancelling_twice_while_the_answer_is_out_leaves_nothing(agents: Agents) -> None:
    provider = agents.provider({"what": "connect_delay", "seconds": 60})
    opening = asyncio.ensure_future(provider.open(NOWHERE).__aenter__())
    await wait_until(lambda: _listening(agents) == 2, description="an endpoint")
    opening.cancel()
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert agents.leftovers() == []


def _calls(log: Path, path: str) -> list[str]:
    return [line for line in log.read_text().splitlines() if path in line]


def _listening(agents: Agents) -> int:
    found: list[str] = []
    for agent in agents.processes():
        with suppress(psutil.NoSuchProcess):
            found += (connection.status for connection in agent.net_connections("tcp"))
    return found.count(psutil.CONN_LISTEN)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
async def test_cancelling_at_any_moment_leaves_nothing(agents: Agents, after: float) -> None:
    try:
        async with asyncio.timeout(after), agents.provider().open(NOWHERE):
            await asyncio.Event().wait()
    except TimeoutError:
        assert agents.leftovers() == []
    else:
        raise AssertionError("Nothing was cancelled.")


async def test_many_tunnels_leave_no_file_open(agents: Agents) -> None:
    ourselves = psutil.Process()
    provider = agents.provider()
    async with provider.open(NOWHERE):
        pass
    before = ourselves.num_fds()
    for _ in range(3):
        async with provider.open(NOWHERE):
            pass
    assert ourselves.num_fds() == before


def test_agent_that_ignores_the_term_signal_is_killed(agents: Agents) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", deaf],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        end_child(child, grace=0.1)
        assert child.returncode == -signal.SIGKILL
    wait_until_sync(lambda: not agents.processes())
