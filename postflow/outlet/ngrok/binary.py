"""Finding the ngrok agent that is installed, and making sure that it is recent enough."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

from postflow.errors import Fatal

PATH_VARIABLE = "POSTFLOW_NGROK_PATH"
# Its local API has had /api/endpoints since; with an older one pyngrok 9 waits for ever.
OLDEST = (3, 30)
ANSWER_SECONDS = 10.0


def find(ngrok_path: Path | None = None) -> Path:
    """The agent's executable: that of POSTFLOW_NGROK_PATH, the given one, or the first in PATH.

    Raises Fatal `tunnel.ngrok.missing`. Nothing is ever downloaded.
    """
    named = os.environ.get(PATH_VARIABLE) or ngrok_path
    if named:
        found = shutil.which(Path(named).expanduser())
        if found is None or _is_pyngrok(Path(found)):
            raise _missing(f"The ngrok agent is not at {named}.")
        return Path(found).absolute()
    for folder in os.get_exec_path():
        found = shutil.which("ngrok", path=folder)
        if found is not None and not _is_pyngrok(Path(found)):
            return Path(found).absolute()
    raise _missing("The ngrok agent is not installed.")


async def version(ngrok_path: Path | None = None) -> str:
    """The agent's version, e.g. "3.39.10".

    Raises Fatal `tunnel.ngrok.missing`, `tunnel.ngrok.unusable` or, below 3.30, `tunnel.ngrok.old`.
    """
    path = find(ngrok_path)
    match = re.search(r"version (\d+)\.(\d+)\S*", await _answer(path))
    if match is None:
        raise _unusable(path)
    if (int(match[1]), int(match[2])) < OLDEST:
        raise Fatal(
            f"The ngrok agent is too old: {match[0]}.",
            hint="Run `ngrok update`, or install 3.30 or later from https://ngrok.com/download.",
            code="tunnel.ngrok.old",
        )
    return match[0].removeprefix("version ")


async def _answer(path: Path) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            path, "--version", stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
    except OSError as error:
        raise _unusable(path) from error
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise _unusable(path) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace")


def is_from_snap(path: Path) -> bool:
    """Each program of a snap is a link to snap itself, in a folder called snap."""
    return path.resolve().name == "snap" or "snap" in path.parts


def _is_pyngrok(path: Path) -> bool:
    """pyngrok installs a script called ngrok too: it downloads the agent when it is run."""
    with path.open("rb") as file:
        head = file.read(1024)
    return head.startswith(b"#!") and b"from pyngrok" in head


def _missing(message: str) -> Fatal:
    return Fatal(
        message,
        hint="Install it from https://ngrok.com/download (3.30 or later) and put it in PATH, or"
        f" name it in the set-up or in {PATH_VARIABLE}.",
        code="tunnel.ngrok.missing",
    )


def _unusable(path: Path) -> Fatal:
    return Fatal(
        f"{path} does not answer as an ngrok agent does.",
        hint="Run it with --version in a shell; if that fails, install ngrok again.",
        code="tunnel.ngrok.unusable",
    )
