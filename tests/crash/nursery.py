"""A warm process that forks a life for each order: Prefect is imported once, not for every death.

One JSON order a line on stdin, one JSON answer a line on stdout.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from typing import Any

from postflow.importing import importing

with importing():
    import tests.support.run_imports  # noqa: F401 - imported for the forks
    from tests.crash.life import Order, live


def main() -> None:
    # Of whatever a shell starts in the background, a signal that a life is stopped by is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()  # no life is long enough to need it
    _answer("ready")
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            _answer(os.waitstatus_to_exitcode(status))
        elif "look" in order:
            pid, status = os.waitpid(order["look"], os.WNOHANG)
            _answer(os.waitstatus_to_exitcode(status) if pid else None)
        else:
            _answer(_fork(Order.model_validate(order)))


def _fork(order: Order) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _take_own_streams(order)
        live(order)
        code = 0
    finally:
        os._exit(code)


def _take_own_streams(order: Order) -> None:
    """A life does not write between the answers, nor read others' orders."""
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(stream, number)


def _answer(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
