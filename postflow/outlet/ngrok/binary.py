"""Finding the ngrok agent that is installed, and making sure that it is recent enough."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

from postflow.language import N_

from .errors import MISSING, OLD, UNUSABLE

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
            raise MISSING(place=N_("at {path}", path=named))
        return Path(found).absolute()
    for folder in os.get_exec_path():
        found = shutil.which("ngrok", path=folder)
        if found is not None and not _is_pyngrok(Path(found)):
            return Path(found).absolute()
    raise MISSING(place=N_("installed"))


async def version(ngrok_path: Path | None = None) -> str:
    """The agent's version, e.g. "3.39.10".

    Raises Fatal `tunnel.ngrok.missing`, `tunnel.ngrok.unusable` or, below 3.30, `tunnel.ngrok.old`.
    """
    path = find(ngrok_path)
    match = re.search(r"version (\d+)\.(\d+)\S*", await _answer(path))
    if match is None:
        raise UNUSABLE(path=path)
    if (int(match[1]), int(match[2])) < OLDEST:
        raise OLD(version=match[0])
    return match[0].removeprefix("version ")


async def _answer(path: Path) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            path, "--version", stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
    except OSError as error:
        raise UNUSABLE(path=path) from error
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise UNUSABLE(path=path) from error
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
