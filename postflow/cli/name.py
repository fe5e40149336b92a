"""`postflow name`: what a name means, where it would go, or which field fails and why."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from postflow.service.console import Exit, out, print_json
from postflow.state import meant_studio, remembered_studio, remembered_studios

from .app import JsonOption, SceneOption, ShotOption, StudioOption, app, prepared_studio

if TYPE_CHECKING:
    from postflow.naming import Explanation, Naming

Names = Annotated[list[str], typer.Argument(help="Names or paths; no file needs to exist.")]


@app.command()
def name(
    names: Names,
    preset: Annotated[
        str | None, typer.Option(help="Use this shipped set of rules, and no studio.")
    ] = None,
    studio: StudioOption = None,
    scene: SceneOption = None,
    shot: ShotOption = None,
    json: JsonOption = False,
) -> None:
    """Explain what file names mean. Exit code 3 when one is not understood.

    The rules are the studio's: asked of Prefect where PREFECT_API_URL names a server, else as this
    machine last used them. Where it knows none, they are the preset "undlm".
    """
    naming = _naming(preset, studio)
    answers = [naming.explain(PurePath(n).name or n, scene=scene, shot=shot) for n in names]
    if json:
        print_json([answer.model_dump(mode="json") for answer in answers])
    else:
        for answer in answers:
            _tell(answer)
    understood = all(answer.shot for answer in answers)
    raise typer.Exit(Exit.DELIVERED if understood else Exit.SKIPPED)


def _naming(preset: str | None, studio: str | None) -> Naming:
    from postflow.naming import Naming

    if preset:
        return Naming.preset(preset)
    if os.environ.get("PREFECT_API_URL"):
        return prepared_studio(studio).get_naming()
    if not studio and (studios := remembered_studios()):
        studio = meant_studio(studios)
    known = remembered_studio(studio or "main") or {"naming": "undlm", "rules": []}
    return Naming.of(known["naming"], known["rules"])


def _tell(answer: Explanation) -> None:
    if answer.shot:
        known = answer.shot
        out.print(f"[green]✓[/green] [bold]{escape(answer.name)}[/bold] (rule {known.rule})")
        fields = {"sequence": known.sequence, "shot": known.shot, "version": known.version}
        out.print("  " + ", ".join(f"{key} {value}" for key, value in fields.items() if value))
        out.print(f"  goes to {'/'.join(known.folder)}, stack {known.stack}", markup=False)
        return
    out.print(f"[red]✗[/red] {escape(answer.problem or answer.name)}")
    out.print(f"  → {answer.hint}", markup=False)
    for reason, rules in groupby(answer.answers, key=lambda rule: rule.reason):
        out.print(f"    {', '.join(rule.rule for rule in rules)}: {reason}", markup=False)
