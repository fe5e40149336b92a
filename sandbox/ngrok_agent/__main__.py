"""The agent's command line: `--version`, `config add-…`, `start --none --log stdout …`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import logfmt, settings


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.version or options.words[:1] == ["version"]:
        print(f"ngrok version {settings.from_environment().version}")  # noqa: T201 - its answer
        return 0
    if options.words[:1] == ["config"]:
        return _saved(options)
    if options.words[:1] == ["start"]:
        return _start(options)
    sys.stderr.write("ERROR:  unknown command\n")
    return 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ngrok", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--version", "-v", action="store_true")
    parser.add_argument("--none", action="store_true")
    parser.add_argument("--log")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--authtoken")
    parser.add_argument("--region")
    return parser.parse_intermixed_args(arguments)


def _saved(options: argparse.Namespace) -> int:
    what = {"add-authtoken": "Authtoken", "add-api-key": "API key"}[options.words[1]]
    print(f"{what} saved to configuration file: {options.config}")  # noqa: T201 - its answer
    return 0


def _start(options: argparse.Namespace) -> int:
    # Imported here, so that --version answers at once.
    import asyncio
    import dataclasses

    from .agent import Agent
    from .configuration import read

    try:
        configuration = read(options.config)
    except (OSError, ValueError) as problem:
        sys.stderr.write(f"ERROR:  {problem}\n")
        return 1
    logfmt.info("open config file", path=options.config, err="nil")
    token = options.authtoken or os.environ.get("NGROK_AUTHTOKEN") or configuration.authtoken
    configuration = dataclasses.replace(configuration, authtoken=token)

    async def run() -> int:
        return await Agent(settings.from_environment(), configuration).run()

    return asyncio.run(run())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
