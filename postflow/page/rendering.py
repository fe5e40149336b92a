"""The page's templates, with the words and the values that all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

from postflow import language

from . import words
from .listing import Kind

HERE = Path(__file__).parent


def templates(prefect: str | None, studios: Sequence[str]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    language.teach(environment)
    environment.filters |= {**words.FILTERS, "web": _web}
    environment.globals |= {
        "prefect": prefect,
        "studios": studios,
        "Kind": Kind,
        "place": words.place,
    }
    return environment


def _web(address: str | None) -> str | None:
    """What may be a link: no script that somebody has put in its place."""
    return address if address and address.startswith(("https://", "http://")) else None
