"""Running `postflow` as a person does, and what every run has to obey."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

PROJECT = Path(__file__).parents[2]
AS_ROOT_WITHOUT_ITS_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@dataclass(frozen=True)
class Ran:
    """What a run left. `text` is all that a person saw."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Runs commands one after the other. No run may show a traceback or one of `secrets`."""

    warm: subprocess.Popen[str]
    folder: Path
    environment: dict[str, str]
    secrets: set[str] = field(default_factory=set)
    _count: int = 0
    _running: Running | None = None

    def __call__(self, *arguments: str | Path, stdin: str = "", **environment: str) -> Ran:
        return self.start(*arguments, stdin=stdin, **environment).wait()

    def start(self, *arguments: str | Path, stdin: str | None = "", **environment: str) -> Running:
        """`stdin` None leaves it open for `type`."""
        self._count += 1
        names = ("in", "out", "err")
        streams = {name: self.folder / f"{self._count}.{name}" for name in names}
        for path in streams.values():
            path.write_text("")
        if stdin is None:
            streams["in"].unlink()
            os.mkfifo(streams["in"])
        else:
            streams["in"].write_text(stdin)
        order = {
            "arguments": [str(argument) for argument in arguments],
            "environment": self.environment | environment,
            "folder": str(self.folder),
            "streams": {name: str(path) for name, path in streams.items()},
        }
        assert self.warm.stdin is not None
        self.warm.stdin.write(json.dumps(order) + "\n")
        self.warm.stdin.flush()
        self._running = Running(self, self._answer("pid"), streams)
        return self._running

    def close(self) -> None:
        """What a failed test left running must not answer the next one."""
        if self._running is not None:
            self._running.signal(signal.SIGKILL)
            self._answer("code")

    def _answer(self, what: str) -> int:
        assert self.warm.stdout is not None
        return int(json.loads(self.warm.stdout.readline())[what])

    def ended(self, streams: dict[str, Path]) -> Ran:
        """Waits for the end of the running command."""
        code, self._running = self._answer("code"), None
        ran = Ran(code, streams["out"].read_text(), streams["err"].read_text())
        assert "Traceback" not in ran.text, ran.text
        assert not [secret for secret in self.secrets if secret in ran.text], ran.text
        return ran


@dataclass(frozen=True)
class Running:
    line: CommandLine
    pid: int
    streams: dict[str, Path]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def type(self, text: str) -> None:
        self.streams["in"].write_text(text)

    def wait(self) -> Ran:
        return self.line.ended(self.streams)


class WarmProcess:
    """The forking process, for as long as the block lasts."""

    def __init__(self, environment: dict[str, str]) -> None:
        # Root reads everything; the tests are about people who may not.
        prefix = AS_ROOT_WITHOUT_ITS_RIGHTS if os.geteuid() == 0 else ()
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.cli.warm"],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            start_new_session=True,  # no terminal, so no prompt goes to the developer's
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()
