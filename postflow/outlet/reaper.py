"""Ends the agents that outlived a PostFlow which was killed."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil

from .ngrok_folder import AgentFolder
from .ngrok_process import end_orphan

logger = logging.getLogger(__name__)


def reap(state_dir: Path) -> int:
    """End each agent below `state_dir` whose owner is dead; how many. Blocks up to seconds."""
    return sum(_reap(folder) for folder in AgentFolder.all(state_dir) if folder.take_over())


def _reap(folder: AgentFolder) -> int:
    orphans = [process for process in psutil.process_iter() if _belongs(process, folder)]
    for orphan in orphans:
        logger.warning("Ending an ngrok agent that an earlier run has left behind.")
        end_orphan(orphan)
    folder.remove()
    return len(orphans)


def _belongs(process: psutil.Process, folder: AgentFolder) -> bool:
    try:
        return str(folder.config) in process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
