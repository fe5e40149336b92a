"""`postflow check`: is every part of the set-up in order?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from postflow.language import N_, told
from postflow.service.console import Exit, first_contact, out, print_json

from .app import JsonOption, StudioOption, app, prepared_studio, run

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.service.check import Finding

MARKS = {
    "ok": "[green]✓[/green]",
    "warning": "[yellow]![/yellow]",
    "failed": "[red]✗[/red]",
    "not asked": "·",
}


@app.command()
def check(studio: StudioOption = None, json: JsonOption = False) -> None:
    """Verify every part of the set-up, each with its remedy. Exit code 5 when one fails."""
    block = prepared_studio(studio)
    findings = run(check_and_tell(block, quiet=json))
    if json:
        print_json([finding.model_dump() for finding in findings])
    failed = any(finding.verdict == "failed" for finding in findings)
    if not (json or failed):
        out.print(first_contact(block.document_name))
    raise typer.Exit(Exit.FATAL if failed else Exit.DELIVERED)


async def check_and_tell(studio: Studio, *, quiet: bool = False) -> list[Finding]:
    from postflow.service.check import check_studio

    findings = []
    async for finding in check_studio(studio):
        findings.append(finding)
        if not quiet:
            _tell(finding)
    return findings


def _tell(finding: Finding) -> None:
    says = told(N_("{name}: {why}", name=finding.part, why=finding.says))
    out.print(f"{MARKS[finding.verdict]} {escape(says)}")
    if finding.hint:
        out.print(f"  → {finding.hint}", markup=False)
