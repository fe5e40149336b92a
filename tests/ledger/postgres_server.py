"""A throwaway PostgreSQL for the session, on a unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin", "/usr/local/pgsql/bin")


def find_server() -> Path | None:
    """The folder of initdb and pg_ctl, if PostgreSQL's server is on this machine."""
    folders = [found for place in PLACES for found in sorted(Path("/").glob(place[1:]))]
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in reversed(folders) if (folder / "pg_ctl").exists()), None)


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """Yields the URL of its default database."""
    home = Path(tempfile.mkdtemp(prefix="pf-pg-"))
    as_user = _unprivileged(home)
    data, log = home / "data", home / "log"
    initdb = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]
    start = [programs / "pg_ctl", "-D", data, "-l", log, "-w", "start", "-o"]
    options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off"
    try:
        _run([*as_user, *initdb, "-E", "UTF8", "--locale=C"])
        _run([*as_user, *start, options])
        yield f"postgresql://postgres@/postgres?host={home}"
    finally:
        subprocess.run(
            [*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
            check=False,
            capture_output=True,
        )
        shutil.rmtree(home, ignore_errors=True)


def _unprivileged(home: Path) -> list[str]:
    """How to become somebody else: PostgreSQL's server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _run(command: list[str | Path]) -> None:
    # pg_ctl's child keeps inherited pipes open, so output goes to files only
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(command, check=False, stdout=output, stderr=output, cwd="/")
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[-1]}: {output.read().decode()}")
