"""A service of this user's that runs `postflow up`: systemd's, launchd's, or a task of Windows."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from postflow.errors import Fatal
from postflow.servers import API, CLIENT_PASSWORD
from postflow.state import state_dir, write_private

from .supervisor import PYTHON

Environment = Mapping[str, str]
Command = tuple[str, ...]

NAME = "postflow"
# Seconds. `up` stops within 75; one that cannot start tries again.
STOP_LIMIT = 90
RESTART_PAUSE = 30
# What a service manager's environment does not have. No secrets.
OURS = "STATE_DIR HOST NGROK_PATH FOLDERS AT_ONCE LIMIT DOMAIN PORT SERVER_IDLE"
CARRIED = (
    *("PATH", "LANG", "LC_ALL", "LANGUAGE", "TZ", "XDG_STATE_HOME"),
    *(f"POSTFLOW_{name}" for name in OURS.split()),
    *("PREFECT_HOME", "PREFECT_PROFILE", API),
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
PLACES = ("POSTFLOW_STATE_DIR", "PREFECT_HOME", "XDG_STATE_HOME")
SECRET = (
    *("NGROK_AUTHTOKEN", "POSTFLOW_ADOBE_CLIENT_SECRET", "POSTFLOW_DISCORD_WEBHOOK_URL"),
    *("PREFECT_API_KEY", CLIENT_PASSWORD),
)


class UserService(NamedTuple):
    """The file that describes it, what has it started, stopped and shown, and who does that."""

    manager: str
    file: Path
    text: str | bytes
    start: tuple[Command, ...]
    stop: tuple[Command, ...]
    show: Command
    # What a person has to know so that it runs when he is not signed in.
    lasts: str

    def install(self) -> str | None:
        """Written and started anew; the command that could not be carried out, if one could not."""
        write_private(self.file, self.text)
        for command in self.stop:
            carried_out(command)
        return next((" ".join(each) for each in self.start if not carried_out(each)), None)

    def uninstall(self) -> None:
        for command in self.stop:
            carried_out(command)
        self.file.unlink()


def carried_out(command: Command) -> bool:
    """Blocking, for as long as `up` takes to stop."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=2 * STOP_LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def this_service(studios: Sequence[str]) -> UserService:
    """As this machine has it. PostFlow needs POSIX: under Windows it runs in WSL, which Windows
    ends and starts. Raises Fatal `service.no_manager`.
    """
    command = (*PYTHON, "postflow", "up", *(f"--studio={name}" for name in studios))
    environment = carried(os.environ)
    if distribution := os.environ.get("WSL_DISTRO_NAME"):
        return of_windows(command, environment, distribution, _windows_user())
    if sys.platform == "darwin":
        return of_launchd(command, environment)
    if sys.platform == "linux":
        return of_systemd(command, environment)
    raise Fatal(
        f"PostFlow knows no service manager for {sys.platform}.",
        hint="Have what starts services there run `postflow up`.",
        code="service.no_manager",
    )


def carried(environment: Environment) -> dict[str, str]:
    """What the service is to find as this command does; of addresses none with a password."""
    found = {name: environment[name] for name in CARRIED if environment.get(name)}
    found |= {name: os.path.abspath(found[name]) for name in PLACES if name in found}  # noqa: PTH100
    return {name: value for name, value in found.items() if not ("://" in value and "@" in value)}


def left_out(environment: Environment) -> list[str]:
    """What is set here, and is too secret for the service's file."""
    proxies = [
        name for name in CARRIED if environment.get(name) and name not in carried(environment)
    ]
    kept = [name for name in SECRET if environment.get(name)]
    if not environment.get(API):  # the password of `up`'s own server is found by itself
        kept = [name for name in kept if name != CLIENT_PASSWORD]
    return proxies + kept


def secrets_file() -> Path:
    """Where systemd looks for them."""
    return _config_home() / "postflow.env"


def _config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def of_systemd(command: Command, environment: Environment) -> UserService:
    """https://www.freedesktop.org/software/systemd/man/systemd.service.html"""
    variables = [f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()]
    # In a command, unlike elsewhere, systemd puts variables in.
    words = [_quoted(word).replace("$", "$$") for word in command]
    lines = (
        *("[Unit]", "Description=PostFlow", "[Service]", *variables),
        f"EnvironmentFile=-{str(secrets_file()).replace('%', '%%')}",
        f"ExecStart={' '.join(words)}",
        *("Restart=always", f"RestartSec={RESTART_PAUSE}"),
        *("KillMode=mixed", f"TimeoutStopSec={STOP_LIMIT}"),
        *("[Install]", "WantedBy=default.target"),
    )
    manage = ("systemctl", "--user")
    return UserService(
        "systemd",
        _config_home() / "systemd/user" / f"{NAME}.service",
        "\n".join(lines) + "\n",
        start=((*manage, "daemon-reload"), (*manage, "enable", "--now", NAME)),
        stop=((*manage, "disable", "--now", NAME),),
        show=(*manage, "is-active", "--quiet", NAME),
        lasts="It ends when you sign out, unless once: loginctl enable-linger. "
        f"What it says: journalctl --user -u {NAME}",
    )


def _quoted(word: str) -> str:
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"'


def of_launchd(command: Command, environment: Environment) -> UserService:
    """See man 5 launchd.plist."""
    log = str(state_dir() / "up.log")
    file = Path.home() / "Library/LaunchAgents" / f"{NAME}.plist"
    domain = f"gui/{os.getuid()}"
    task = {
        "Label": NAME,
        "ProgramArguments": list(command),
        "EnvironmentVariables": dict(environment),
        "RunAtLoad": True,
        "KeepAlive": True,
        "ThrottleInterval": RESTART_PAUSE,
        "ExitTimeOut": STOP_LIMIT,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    return UserService(
        "launchd",
        file,
        plistlib.dumps(task),
        start=(("launchctl", "bootstrap", domain, str(file)),),
        stop=(("launchctl", "bootout", f"{domain}/{NAME}"),),
        show=("launchctl", "print", f"{domain}/{NAME}"),
        lasts=f"It runs while you are signed in on this Mac. What it says: {log}",
    )


TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>PostFlow, in WSL</Description></RegistrationInfo>
  <Triggers><LogonTrigger><UserId>{user}</UserId></LogonTrigger></Triggers>
  <Principals><Principal id="Author">
    <UserId>{user}</UserId><LogonType>InteractiveToken</LogonType>
  </Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec><Command>wsl.exe</Command><Arguments>{arguments}</Arguments></Exec>
  </Actions>
</Task>
"""


def of_windows(
    command: Command, environment: Environment, distribution: str, user: str
) -> UserService:
    """https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema"""
    variables = (f"{name}={value}" for name, value in environment.items())
    words = ("--distribution", distribution, "--exec", "/usr/bin/env", *variables, *command)
    arguments = subprocess.list2cmdline(words)
    file = state_dir() / f"{NAME}-task.xml"
    path = f"//wsl$/{distribution}{file}".replace("/", "\\")
    tasks = "schtasks.exe"
    task = ("/tn", NAME)
    return UserService(
        "Windows' task scheduler",
        file,
        TASK.format(user=escape(user), arguments=escape(arguments)).encode("utf-16"),
        start=((tasks, "/create", *task, "/xml", path, "/f"), (tasks, "/run", *task)),
        stop=((tasks, "/end", *task), (tasks, "/delete", *task, "/f")),
        show=(tasks, "/query", *task),
        lasts="It runs while you are signed in to Windows.",
    )


def _windows_user() -> str:
    try:
        return subprocess.check_output(("whoami.exe",), text=True, timeout=STOP_LIMIT).strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise Fatal(
            "Windows cannot be asked from this WSL.",
            hint="Switch interop on in /etc/wsl.conf, or have it run `wsl.exe -- postflow up`.",
            code="service.no_manager",
        ) from error
