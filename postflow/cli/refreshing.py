"""What a command prints, on a screen that is drawn again until its reader has seen enough."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from postflow.errors import Fatal
from postflow.service.console import out

# Seconds.
EVERY = 2.0
QUIT = b"qQ\x1b\x04"


def demand_terminal() -> None:
    """Raises Fatal `status.no_terminal`."""
    if not (sys.stdin.isatty() and out.is_terminal):
        raise Fatal(
            "--watch draws on a terminal, and there is none.",
            hint="Leave --watch out; scripts read --json.",
            code="status.no_terminal",
        )


def refreshed(draw: Callable[[], None], *, every: float = EVERY, keyboard: int = 0) -> None:
    """What `draw` prints on stdout, again and again, until q is pressed."""
    screen = Console(file=out.file, force_terminal=True)
    with (
        _single_keys(keyboard) as pressed,
        Live(console=screen, screen=True, auto_refresh=False) as live,
    ):
        while True:
            live.update(_drawn(draw), refresh=True)
            if pressed(every) in QUIT:
                return


def _drawn(draw: Callable[[], None]) -> Text:
    with out.capture() as captured:
        draw()
    return Text.from_ansi(f"q or Ctrl-C ends this.\n{captured.get()}")


@contextmanager
def _single_keys(keyboard: int) -> Iterator[Callable[[float], bytes]]:
    """Waits so many seconds for a key, and says which; b" " for none."""
    if sys.platform == "win32":  # Ctrl-C ends it
        yield lambda seconds: time.sleep(seconds) or b" "
        return
    import termios
    import tty

    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    try:
        yield lambda seconds: _key(keyboard, seconds)
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _key(keyboard: int, seconds: float) -> bytes:
    ready, _, _ = select.select([keyboard], [], [], seconds)
    return (os.read(keyboard, 1) or QUIT[:1]) if ready else b" "
