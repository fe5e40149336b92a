"""A process that has imported all of PostFlow, and forks one command line for each order.

Importing Prefect takes seconds; a fork of one that has is a process of its own all the same, with
its exit code, signals and clean-up. Orders and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from typing import Any


def main() -> None:
    from postflow.importing import importing
    from postflow.service.server import prepare_prefect

    prepare_prefect()
    with importing():  # else each fork looks through all of it at its end, for half a second
        import postflow.cli
        import postflow.flows.deliver
        import postflow.service.save_studio
        import postflow.service.serve
        from postflow.blocks import tunnel
        from postflow.outlet.ngrok.provider import NgrokProvider
        from tests.support import run_imports  # noqa: F401 - imported for the forks

    # A refusal that may pass is waited out for 90 s in earnest.
    setattr(tunnel, "NgrokProvider", partial(NgrokProvider, open_timeout=0))  # noqa: B010 - a test's
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            postflow.cli.main()
            sys.exit(0)
        _answer(pid=child)
        _answer(code=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _become(order: dict[str, Any]) -> None:
    from prefect.context import refresh_global_settings_context

    for number, name in enumerate(("in", "out", "err")):
        # Opening a pipe for reading alone would wait for its writer.
        os.dup2(os.open(order["streams"][name], os.O_RDWR | (number and os.O_APPEND)), number)
    sys.stdin = os.fdopen(0)
    os.environ.update(order["environment"])
    refresh_global_settings_context()
    os.chdir(order["folder"])
    sys.argv = ["postflow", *order["arguments"]]


def _answer(**facts: int) -> None:
    os.write(1, json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    main()
