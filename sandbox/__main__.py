"""`python -m postflow.sandbox`: the world as a process of its own, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

# Not by relative names: `python -m sandbox` in a checkout would have two copies of every class.
from postflow.sandbox.running import Sandbox
from postflow.sandbox.switches import Switches


def main(arguments: list[str] | None = None) -> int:
    """Print one line with the addresses, serve, and clean up. Exit 1 if the port is taken."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        switches = _switches(given.switch)
    except ValueError as error:
        parser.error(str(error))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with Sandbox(port=given.port, folder=given.data, **switches.model_dump()) as world:
            _print_start(world, as_json=given.json)
            stopped.wait()
    except OSError as error:
        print(f"The sandbox could not start: {error}.", file=sys.stderr)  # noqa: T201  a command
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m postflow.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--json", action="store_true", help="start with one line of JSON")
    parser.add_argument("--data", type=Path, help="keep what arrives in this folder")
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="see docs/sandbox.md"
    )
    return parser


def _switches(settings: list[str]) -> Switches:
    switches = Switches()
    for setting in settings:
        switches = switches.with_setting(setting)
    return switches


def _print_start(world: Sandbox, *, as_json: bool) -> None:
    text = json.dumps(world.describe()) if as_json else f"The sandbox is at {world.url}"
    print(text, flush=True)  # noqa: T201  what the command is for


if __name__ == "__main__":
    sys.exit(main())
