"""Asks a person at the terminal: prompt_toolkit, which completes paths and lets lists be walked.

A step of the set-up is one question, or a few that belong together, asked at a desk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Protocol, TypeVar

from prompt_toolkit import prompt
from prompt_toolkit.completion import PathCompleter
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.shortcuts import CompleteStyle, choice
from rich.markup import escape

from postflow.errors import Fatal
from postflow.language import N_, told
from postflow.service.console import err, out

from .draft import Draft

T = TypeVar("T")

# Columns: beside prompt_toolkit's list of options, and of them before its words.
MARGINS, NUMBER = 10, 6
# What is wrong with an answer; None where nothing is.
Judge = Callable[[str], str | None]
Options = Sequence[tuple[str, str]]


def demand_terminal() -> None:
    """Raises Fatal `setup.no_terminal`."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Fatal(
            N_("`postflow setup` asks its questions at a terminal, and this is none."),
            hint=N_(
                "Write a studio file: postflow setup --example > studio.toml; and give it: "
                "postflow setup --file studio.toml"
            ),
            code="setup.no_terminal",
        )


@dataclass
class Prompts:
    """Counts what it asks, since a set-up should ask little. Ctrl-C raises KeyboardInterrupt."""

    asked: int = 0

    def choose(self, question: str, options: Options, default: str | None = None) -> str:
        """The value of one option; they are values with labels. By arrows, or by number."""
        self.asked += 1
        spoken = [(value, _folded(told(label))) for value, label in options]
        return choice(_bold(question), options=spoken, default=default)

    def text(self, question: str, *, judge: Judge, default: str = "") -> str:
        return self._answer(question, judge, default=default)

    def secret(self, question: str, *, judge: Judge) -> str:
        """Shown as stars."""
        return self._answer(question, judge, is_password=True)

    def folder(self, question: str, *, judge: Judge, default: str = "") -> str:
        """TAB completes."""
        return self._answer(
            question,
            judge,
            default=default,
            completer=PathCompleter(only_directories=True, expanduser=True),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
        )

    def _answer(self, question: str, judge: Judge, **options: Any) -> str:
        """A refused answer stays readable above, and the line is empty again."""
        while True:
            self.asked += 1
            said = prompt(_bold(question), **options).strip()
            if (wrong := judge(said)) is None:
                return said
            err.print(f"  [red]✗[/red] {escape(told(wrong))}")
            options["default"] = ""


def not_empty(answer: str) -> str | None:
    if answer.strip():
        return None
    return N_("Something has to stand here. Ctrl-C ends; nothing is lost.")


def _folded(label: str) -> str:
    """As wide as the terminal: prompt_toolkit cuts off what is wider than its list."""
    room = max(out.width - MARGINS, NUMBER)
    return f"\n{'':{NUMBER}}".join(
        wrap(label, room, break_long_words=False, break_on_hyphens=False)
    )


def _bold(question: str) -> FormattedText:
    return FormattedText([("bold", f"{told(question)} ")])


class Run(Protocol):
    """Runs a coroutine to its end; a signal cancels it."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


@dataclass
class Desk:
    draft: Draft
    ask: Prompts
    run: Run
    # Without a browser of this machine, or after it was waited for in vain.
    by_paste: bool = False

    def explain(self, text: str) -> None:
        for line in told(text).splitlines():
            out.print(f"  {line}".rstrip(), markup=False)

    def proven(self, text: str) -> None:
        out.print(f"  [green]✓[/green] {escape(told(text))}")


@dataclass(frozen=True)
class Step:
    """`take` asks, proves and writes; it raises a PostFlowError where the proof fails, and is taken
    again. `said` is what was answered, for a person; None while nothing was.
    """

    title: str
    take: Callable[[Desk], None]
    said: Callable[[Draft], str | None]
