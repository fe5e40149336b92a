"""The agent's log: one logfmt line per event on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime


def _quoted(value: object) -> str:
    text = str(value)
    if text and not any(c in text for c in ' "=\\\r\n\t'):
        return text
    return json.dumps(text, ensure_ascii=False)


def line(level: str, message: str, fields: dict[str, object]) -> str:
    stamp = datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
    pairs = {"t": stamp, "lvl": level, "msg": message, **fields}
    return " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items())


def log(level: str, message: str, **fields: object) -> None:
    """Write one line. An agent whose reader is gone dies of SIGPIPE at its next line, and one
    whose reader sleeps stops when the pipe is full: both as the real one does."""
    try:
        sys.stdout.write(line(level, message, fields) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)


def info(message: str, **fields: object) -> None:
    log("info", message, **fields)


def error(message: str, **fields: object) -> None:
    log("eror", message, **fields)
