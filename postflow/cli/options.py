"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StudioOption = Annotated[
    str, typer.Option("--studio", envvar="POSTFLOW_STUDIO", help="The Studio block to use.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the flow's logs as they come.")
]
SceneOption = Annotated[
    str | None, typer.Option(help="Sequence or scene, where the name does not say it right.")
]
ShotOption = Annotated[str | None, typer.Option(help="Shot, where the name does not say it right.")]
# click's own check of readability would forestall ours, which has a remedy.
Files = Annotated[list[Path], typer.Argument(help="The clips.", metavar="FILE", readable=False)]
