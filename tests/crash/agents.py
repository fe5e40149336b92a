"""Finds the processes that work with a state folder."""

from __future__ import annotations

from pathlib import Path

import psutil

from postflow.outlet.ngrok.folder import has_ended


def agents(state: Path) -> list[psutil.Process]:
    """The ngrok agents that were started from below `state`; some end while they are looked at."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(state) in " ".join(process.cmdline()) and not has_ended(process):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
