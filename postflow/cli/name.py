"""`postflow name`: what a name means, where it would go, or which field fails and why."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from postflow.errors import Skip
from postflow.naming import Naming

from .app import app
from .engine import prepare_prefect
from .exit_codes import Exit
from .options import JsonOption, SceneOption, ShotOption
from .output import err, out, print_json, tell_error
