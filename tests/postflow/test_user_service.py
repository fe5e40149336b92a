"""Files for systemd, launchd and Windows that run `up`, and `postflow service`, which uses them."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from postflow.cli import app
from postflow.service import user_service
from postflow.service.user_service import UserService, carried, left_out
from postflow.state import write_private

COMMAND = ("/opt/Post Flow/bin/python", "-P", "-m", "postflow", "up", "--studio=north")
ENVIRONMENT = {"PATH": '/usr/bin:/a b"c', "POSTFLOW_STATE_DIR": "/s/100%/$HOME"}
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
SECRET = "hush-hush"


def windows() -> UserService:
    return user_service.of_windows(COMMAND, ENVIRONMENT, "Ubuntu", r"STUDIO\Ada & Co")


def systemd() -> UserService:
    return user_service.of_systemd(COMMAND, ENVIRONMENT)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.delenv("WSL_DISTRO_NAME", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        r'Environment="PATH=/usr/bin:/a b\"c"',
        'Environment="POSTFLOW_STATE_DIR=/s/100%%/$HOME"',
        'ExecStart="/opt/Post Flow/bin/python" "-P" "-m" "postflow" "up" "--studio=north"',
        "Restart=always",
        "TimeoutStopSec=90",
        "WantedBy=default.target",
    ],
)
def test_a_unit_says(line: str) -> None:
    assert line in str(systemd().text).splitlines()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_finds_nothing_wrong_with_the_unit(home: Path) -> None:
    made = user_service.of_systemd((sys.executable, "100%", "$x"), ENVIRONMENT)
    write_private(made.file, made.text)
    verified = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(made.file)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        text=True,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_launchd_is_told_the_same() -> None:
    made = user_service.of_launchd(COMMAND, ENVIRONMENT)
    assert isinstance(made.text, bytes)
    task = plistlib.loads(made.text)
    assert task["ProgramArguments"] == list(COMMAND)
    assert task["EnvironmentVariables"] == ENVIRONMENT
    assert task["KeepAlive"] is True
    assert task["ExitTimeOut"] == 90
    assert Path(task["StandardErrorPath"]).is_absolute()


def test_windows_starts_it_in_wsl() -> None:
    made = windows()
    assert isinstance(made.text, bytes)
    task = ElementTree.fromstring(made.text)
    assert {each.text for each in task.iter(f"{TASK}UserId")} == {r"STUDIO\Ada & Co"}
    assert [each.text for each in task.iter(f"{TASK}ExecutionTimeLimit")] == ["PT0S"]
    (arguments,) = (each.text for each in task.iter(f"{TASK}Arguments"))
    assert arguments == (
        "--distribution Ubuntu --exec /usr/bin/env "
        r'"PATH=/usr/bin:/a b\"c" POSTFLOW_STATE_DIR=/s/100%/$HOME '
        '"/opt/Post Flow/bin/python" -P -m postflow up --studio=north'
    )
    assert made.start[0][-2].startswith("\\\\wsl$\\Ubuntu\\"), "as Windows sees the file"


def test_secrets_are_named_and_not_carried_over() -> None:
    environment = {
        "LANG": "fr_FR.UTF-8",
        "POSTFLOW_STATE_DIR": "state",
        "NGROK_AUTHTOKEN": SECRET,
        "HTTPS_PROXY": f"http://ada:{SECRET}@proxy.example",
        "NO_PROXY": "localhost",
        "POSTFLOW_DISCORD_WEBHOOK_URL": f"https://discord.example/{SECRET}",
        "PREFECT_API_AUTH_STRING": SECRET,
    }
    named = ["HTTPS_PROXY", "NGROK_AUTHTOKEN", "POSTFLOW_DISCORD_WEBHOOK_URL"]
    assert left_out(environment) == named
    assert left_out(environment | {"PREFECT_API_URL": "https://prefect.example/api"})[-1:] == [
        "PREFECT_API_AUTH_STRING"
    ]
    assert carried(environment) == {
        "LANG": "fr_FR.UTF-8",
        "POSTFLOW_STATE_DIR": str(Path("state").absolute()),
        "NO_PROXY": "localhost",
    }


@pytest.fixture
def systemctl(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """A stand-in that ends with the given code; where it writes what it was told."""
    monkeypatch.setattr(sys, "platform", "linux")
    (home / "bin").mkdir()
    monkeypatch.setenv("PATH", str(home / "bin"), prepend=os.pathsep)
    told = home / "told"

    def make(code: int) -> Path:
        script = home / "bin" / "systemctl"
        script.write_text(f'#!/bin/sh\necho "$@" >> {told}\nexit {code}\n')
        script.chmod(0o700)
        return told

    return make


def service(*arguments: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["service", *arguments])
    return ran.exit_code, ran.output + str(ran.exception or "")


def test_it_is_installed_seen_and_removed(
    home: Path, systemctl: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", SECRET)
    told = systemctl(0)
    code, said = service("install", "--studio", "north")
    unit = home / ".config/systemd/user/postflow.service"
    assert (code, "NGROK_AUTHTOKEN" in said, "By hand" in said) == (0, True, False)
    assert SECRET not in said + unit.read_text()
    assert '"--studio=north"' in unit.read_text()
    assert told.read_text().splitlines()[1:] == [
        "--user daemon-reload",
        "--user enable --now postflow",
    ]
    assert "It runs, by systemd" in service("status")[1]
    assert service("uninstall")[0] == 0
    assert not unit.exists()
    assert "no service of yours" in service("status")[1]


def test_what_cannot_be_started_from_here_is_said(systemctl: Callable[[int], Path]) -> None:
    systemctl(1)
    code, said = service("install", "--studio", "north")
    assert (code, "systemctl --user enable --now postflow" in said) == (0, True)
    assert "It does not run" in service("status")[1]
