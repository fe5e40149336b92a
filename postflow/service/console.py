"""What a person reads: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from postflow.errors import Fatal, PostFlowError, Skip, printable
from postflow.language import told
from postflow.models import Once
from postflow.state import open_to_others, state_dir

# What stands before the words of a line: its mark, or its number.
HEAD = re.compile(r"^ *(?:[✓✗!·→] |\d\. )?")


class Terminal(Console):
    """Names are hostile input: of no text that is printed does a control character get through.

    Lines are as wide as the terminal. No word is broken, a link neither; what is piped on stays one
    line.
    """

    def print(self, *objects: Any, hang: int | None = None, **options: Any) -> None:
        """What goes on in a further line is indented by `hang`, else as far as the words began."""
        texts = [_plain(each) if isinstance(each, str) else each for each in objects]
        if self.is_terminal:
            read = Text.from_markup if options.get("markup", True) else Text
            texts = [
                self._fit(read(each), hang) if isinstance(each, str) else each for each in texts
            ]
        super().print(*texts, **options)

    def _fit(self, text: Text, hang: int | None) -> Text:
        lines: list[Text] = []
        for line in text.split(allow_blank=True):
            head = len(line) - len(HEAD.sub("", line.plain)) if hang is None else hang
            if line.cell_len <= self.width:
                lines.append(line)
                continue
            start, words = line.divide([head])
            first, *others = words.divide(_breaks(words.plain, max(self.width - head, head)))
            lines += [start + first, *(Text(" " * head) + other for other in others)]
        for line in lines:
            line.rstrip()
        return Text("\n").join(lines)


def _breaks(words: str, room: int) -> list[int]:
    """Where further lines begin, none of them wider than `room` unless a word is."""
    begins = [0]
    for word in re.finditer("[^ ]+", words):
        if word.start() > begins[-1] and cell_len(words[begins[-1] : word.end()]) > room:
            begins.append(word.start())
    return begins[1:]


def _plain(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


out = Terminal(highlight=False, soft_wrap=True)
err = Terminal(stderr=True, highlight=False, soft_wrap=True)


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
    """A file as old as the last `postflow contact` of a studio from this machine."""
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
    about = f"[bold]{escape(printable(subject))}[/bold]: " if subject else ""
    err.print(
        f"[red]✗[/red] {about}{escape(error.told.message)} [dim]{escape(f'[{error.code}]')}[/dim]"
    )
    err.print(f"  → {escape(error.told.hint)}")


def tell_warning(error: PostFlowError, console: Console = err) -> None:
    """What a person should know and can mend, while the command goes on."""
    tell_doubt(*error.told, console)


def tell_doubt(says: str, remedy: str, console: Console = err) -> None:
    console.print(f"[yellow]![/yellow] {escape(says)}")
    console.print(f"  → {remedy}", markup=False)


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
    """How a command ends. Of several files, the gravest counts: fatal, then retry, then skipped."""

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
