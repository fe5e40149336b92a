"""What a person reads: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.markup import escape

from postflow.errors import Fatal, PostFlowError, Skip, printable
from postflow.language import told
from postflow.models import Once
from postflow.state import open_to_others, state_dir


class Terminal(Console):
    """Names are hostile input: of no text that is printed does a control character get through."""

    def print(self, *objects: Any, **options: Any) -> None:
        plain = [_plain(each) if isinstance(each, str) else each for each in objects]
        super().print(*plain, **options)


def _plain(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


out = Terminal(highlight=False, soft_wrap=True)
err = Terminal(stderr=True, highlight=False, soft_wrap=True)


def fit(text: str, hang: int, console: Console) -> str:
    """Lines as wide as the terminal, all but the first one indented by `hang`. No word is broken, a
    link neither; what is piped on stays one line.
    """
    if not console.is_terminal:
        return text
    room = max(console.width, 2 * hang)
    lines = wrap(
        text, room, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A moving line with the seconds, for as long as it lasts; nothing where nobody looks."""
    if not err.is_terminal:
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} …"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as line:
        line.add_task(told(what), total=None)
        yield


def contact_mark(studio: str) -> Path:
    """As old as the last `postflow contact` of a studio from this machine."""
    return state_dir() / f"contact-{studio}"


def first_contact(studio: str) -> str:
    """Offered once all is set up, before the first clip; or when it was."""
    command = "postflow contact" + ("" if studio == "main" else f" --studio {studio}")
    mark = contact_mark(studio)
    if not mark.exists():
        return f"To ask this Frame.io first what its documents leave open: {command}"
    day = datetime.fromtimestamp(mark.stat().st_mtime).astimezone()
    return (
        f"This Frame.io was asked what its documents leave open on {day:%Y-%m-%d}. Again: {command}"
    )


def tell_error(error: PostFlowError, *, subject: str | None = None) -> None:
    """One line what happened, one line what to do."""
    about = f"[bold]{escape(subject)}[/bold]: " if subject else ""
    err.print(
        f"[red]✗[/red] {about}{escape(error.told.message)} [dim]{escape(f'[{error.code}]')}[/dim]"
    )
    err.print(f"  → {escape(error.told.hint)}")


def tell_warning(error: PostFlowError, console: Console = err) -> None:
    """What a person should know and can mend, while the command goes on."""
    tell_doubt(*error.told, console)


def tell_doubt(says: str, remedy: str, console: Console = err) -> None:
    console.print(f"[yellow]![/yellow] {escape(fit(f'! {says}', 2, console)[2:])}")
    console.print(fit(f"  → {remedy}", 4, console), markup=False)


def tell_if_open(*paths: Path) -> None:
    """Each file or folder with secrets that others may read."""
    for says, remedy in filter(None, map(open_to_others, paths)):
        tell_doubt(told(says), told(remedy))


class Warnings(logging.Handler):
    """What PostFlow warns of while it works, each once, among the bars on stderr."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._printed: Once[str] = Once()

    def emit(self, record: logging.LogRecord) -> None:
        warning = record.getMessage()
        if self._printed.begins(warning):
            err.print(f"[yellow]![/yellow] {escape(warning)}")


def print_json(value: Any) -> None:
    """One JSON document on stdout, plain even where colours are on."""
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201 - the command's output


class Exit(IntEnum):
    """Of several files, the gravest counts: fatal, then retry, then skipped."""

    DELIVERED = 0
    USAGE = 2
    SKIPPED = 3
    RETRY = 4
    FATAL = 5
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code(error: PostFlowError | None) -> Exit:
    if error is None:
        return Exit.DELIVERED
    if isinstance(error, Skip):
        return Exit.SKIPPED
    if isinstance(error, Fatal):
        return Exit.FATAL
    return Exit.RETRY
