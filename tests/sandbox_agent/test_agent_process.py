"""The stand-in as a program: its words, lines, exit codes and deaths."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest
from pyngrok.log import NgrokLog

from tests.sandbox_agent.conftest import TOKEN, Starter
from tests.support.wait import wait_until_sync


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_version_is_worded_as_ngroks(start: Starter) -> None:
    assert output(start.executable(), "--version") == "ngrok version 3.39.10\n"
    assert output(start.executable(version="3.22.0"), "version") == "ngrok version 3.22.0\n"


def test_config_commands_say_what_pyngrok_looks_for(start: Starter) -> None:
    ngrok = start.executable()
    assert "Authtoken saved" in output(ngrok, "config", "add-authtoken", "t", "--log", "stdout")
    assert "API key saved" in output(ngrok, "config", "add-api-key", "k")


def test_start_says_the_lines_that_pyngrok_waits_for_in_order(start: Starter) -> None:
    agent = start.ready()
    messages = [NgrokLog(line).msg for line in agent.lines]
    assert messages == [
        "open config file",
        "starting web service",
        "client session established",
        "tunnel session started",
    ]


def test_web_address_is_the_configured_one(start: Starter) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert start.ready(web_addr=address).api == f"http://{address}"


def test_web_address_in_use_ends_it(start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start.launch(web_addr=f"127.0.0.1:{taken.getsockname()[1]}")
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "bind: address already in use" in out
    assert NgrokLog(out.splitlines()[-1]).lvl == "CRITICAL"
    assert err.startswith("ERROR:  ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_signal_ends_it_orderly(start: Starter, number: signal.Signals) -> None:
    agent = start.ready()
    agent.process.send_signal(number)
    assert agent.process.wait(timeout=30) == 0
    messages = [NgrokLog(line).msg for line in agent.rest().splitlines()]
    assert messages == ["received stop request", "session closing"]


@pytest.mark.parametrize(
    ("token", "code"),
    [("", 4018), ("not a token", 105), ("2wellFormed_butNotValid0123456789", 107)],
)
def test_wrong_token_is_refused_in_lines_and_on_stderr(
    start: Starter, token: str, code: int
) -> None:
    process = start.launch(token=token)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    last = NgrokLog(out.splitlines()[-1])
    assert (last.lvl, last.obj, last.msg) == ("ERROR", "app", "terminating with error")
    assert last.err is not None
    assert last.err.endswith(rf"\r\n\r\nERR_NGROK_{code}\r\n")
    assert f"ERROR:  ERR_NGROK_{code}" in err


def test_configuration_without_version_is_refused(start: Starter) -> None:
    config = start.folder / "bad.yml"
    config.write_text("agent: {}\n")
    words = ("start", "--none", "--log", "stdout", "--config", str(config))
    done = subprocess.run(
        [str(start.executable()), *words], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "'version' property is required" in done.stderr


def test_parents_death_alone_does_not_end_it(start: Starter) -> None:
    """As with the real agent: an idle orphan lives on."""
    command = shlex.join([str(start.executable()), "start", "--none", "--log", "stdout"])
    token = f"NGROK_AUTHTOKEN={TOKEN}"
    with subprocess.Popen(
        ["sh", "-c", f"{token} {command} & echo $!; read line; kill -9 $$"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdout is not None
        orphan = psutil.Process(int(shell.stdout.readline()))
        while "tunnel session started" not in shell.stdout.readline():
            pass
        shell.kill()
        shell.wait()
        assert orphan.is_running()
        assert orphan.status() != psutil.STATUS_ZOMBIE
    orphan.kill()


def test_reader_that_is_gone_ends_it_at_its_next_line(start: Starter) -> None:
    agent = start.ready()
    assert agent.process.stdout is not None
    agent.process.stdout.close()
    subprocess.run(
        ["curl", "-s", f"{agent.api}/api/status"], check=False, stdout=subprocess.DEVNULL
    )
    wait_until_sync(lambda: agent.process.poll() is not None)
    assert agent.process.returncode == -signal.SIGPIPE
