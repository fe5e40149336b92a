"""`postflow` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH


async def postflow(*arguments: str | Path) -> asyncio.subprocess.Process:
    """Start it against the test's Prefect server and state folder; read its output as JSON."""
    environment = os.environ | {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_LOCAL_STORAGE_PATH": str(PREFECT_LOCAL_STORAGE_PATH.value()),
    }
    command = [sys.executable, "-m", "postflow", *map(str, arguments)]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=environment)


async def answer(process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    """What `upload --json` said of each file."""
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    told: list[dict[str, Any]] = json.loads(output)
    return told
