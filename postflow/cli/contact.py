"""`postflow contact`: what the studio's own Frame.io does where no document says it."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from postflow.errors import Fatal
from postflow.service.console import contact_mark, err, out
from postflow.state import write_private

from .app import StudioOption, app, prepared_studio, run

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.service.contact.report import Report
    from postflow.service.contact.run import Outcome


@app.command()
def contact(
    studio: StudioOption = None,
    file: Annotated[
        Path, typer.Option("--file", "-f", help="Where the answers go; they can be sent to us.")
    ] = Path("contact.json"),
) -> None:
    """Ask your Frame.io what no document says, in a folder of its own that is removed afterwards.

    The answers hold no secret, no name and no id. `postflow sandbox --like` plays them.
    """
    if not os.access(file.absolute().parent, os.W_OK):
        raise Fatal(
            f"The answers cannot be written to {file.absolute()}.",
            hint="Name another place with --file.",
            code="contact.place",
        )
    ask_and_tell(prepared_studio(studio), file)


def ask_and_tell(studio: Studio, file: Path) -> None:
    report = run(_contact(studio))
    write_private(file.absolute(), report.text())
    contact_mark(studio.document_name).touch()
    _sum_up(report, file)


async def _contact(studio: Studio) -> Report:
    from postflow.service.contact.run import about, contact

    err.print(about())
    return await contact(studio, partial(_tell, set()))


def _tell(said: set[str], outcome: Outcome) -> None:
    """Why something is not known is said of the first question of which it is true."""
    question, entry = outcome.question, outcome.entry
    if entry.unanswered:
        status = f" ({entry.status})" if entry.status else ""
        why = f"{entry.unanswered}{status}. {outcome.error.message if outcome.error else ''}"
        if why not in said:
            said.add(why)
            out.print(f"· {question.asks} Not known: {why}".rstrip(), markup=False)
        return
    mark = "[green]✓[/green]" if entry.consequence is None else "[yellow]![/yellow]"
    out.print(f"{mark} {escape(question.asks)} {escape(question.says(entry.answer))}")


def _sum_up(report: Report, file: Path) -> None:
    entries = report.answers.values()
    known = sum(entry.unanswered is None for entry in entries)
    why = Counter(entry.unanswered for entry in entries if entry.unanswered)
    open_ = "".join(f", {many} not: {reason}" for reason, many in why.items())
    out.print(f"\n{known} of {len(entries)} answered in {report.seconds:.0f} s{open_}.")
    others = [entry for entry in entries if entry.consequence]
    if others:
        out.print("Other than PostFlow assumes:")
    for entry in others:
        end = "handled" if entry.handled else "not handled: please report"
        out.print(f"  {entry.asked} {entry.consequence}: {end}.", markup=False)
    out.print(f"The answers are in {file.absolute()}, without names, ids or secrets.", markup=False)
