"""A throwaway PostgreSQL for the session, on a unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.wait import wait_until_sync

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin", "/usr/local/pgsql/bin")


def find_server() -> Path | None:
    """The folder of initdb and postgres, if PostgreSQL's server is on this machine."""
    folders = [found for place in PLACES for found in sorted(Path("/").glob(place[1:]))]
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in reversed(folders) if (folder / "postgres").exists()), None)


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """Yields the URL of its default database. The server ends with us, even if we are killed."""
    with prepared(programs) as home, running(programs, home) as url:
        yield url


@contextmanager
def prepared(programs: Path) -> Iterator[Path]:
    """The folder of a new cluster, which no server runs on yet."""
    home = Path(tempfile.mkdtemp(prefix="pf-pg-"))
    initdb = [str(programs / "initdb"), "-D", str(home / "data"), "-U", "postgres", "--auth=trust"]
    try:
        subprocess.run(
            [*_unprivileged(home), *initdb, "--no-sync", "-E", "UTF8", "--locale=C"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def running(programs: Path, home: Path, *, port: int | None = None) -> Iterator[str]:
    """The cluster's server, on loopback too where a `port` is named. It is ended at once."""
    url = f"postgresql://postgres@/postgres?host={home}" + (f"&port={port}" if port else "")
    settings = ["fsync=off", f"unix_socket_directories={home}"]
    settings += [f"listen_addresses={'127.0.0.1' if port else ''}"]
    settings += [f"port={port}"] if port else []
    server = [str(programs / "postgres"), "-D", str(home / "data")]
    server += [part for each in settings for part in ("-c", each)]
    with (home / "log").open("ab") as log:
        process = subprocess.Popen([*_unprivileged(home), *server], stdout=log, stderr=log, cwd="/")
    try:
        wait_until_sync(lambda: _answers(process, url), description="PostgreSQL to answer")
        yield url
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=30)


def _unprivileged(home: Path) -> list[str]:
    """How to start it so that it dies with us, and as somebody else: it refuses to run as root."""
    setpriv = shutil.which("setpriv")
    with_us = [setpriv, "--pdeathsig", "QUIT"] if setpriv else []
    if os.geteuid() != 0:
        return with_us
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    return [*with_us, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"PostgreSQL ended with code {process.returncode}.")
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
