"""What has been answered so far: the tables of a studio's file, kept until the studio is saved."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self, cast

from postflow.language import Language, of_system
from postflow.service.studio_file import StudioFile, as_toml, read_tables
from postflow.state import state_dir, write_private

Tables = dict[str, dict[str, Any]]
# What is answered, but stands in no studio file.
ASIDE = "setup"


class Draft:
    """Written after each answer, secrets too, readable for its owner only, so that a set-up that
    was interrupted goes on where it was.
    """

    def __init__(self, path: Path, tables: Tables) -> None:
        self.path = path
        self.tables = tables

    @classmethod
    def of(cls, studio: str, given: Tables | None = None) -> Self:
        """The one that is there, else one of what is `given`."""
        path = folder() / f"{studio}.toml"
        if path.exists():
            return cls(path, read_tables(path))
        others = dict(given or {})
        named = {"language": of_system(), **others.pop("studio", {}), "name": studio}
        return cls(path, {"studio": named, **others})

    @property
    def name(self) -> str:
        return str(self.tables["studio"]["name"])

    @property
    def language(self) -> Language:
        return cast("Language", self.get("studio", "language") or of_system())

    def get(self, table: str, key: str) -> Any:
        return self.tables.get(table, {}).get(key)

    def said(self, key: str) -> str | None:
        """What was answered that stands in no studio file, for a person."""
        known = self.get(ASIDE, key)
        return str(known) if known else None

    def put(self, table: str, **values: Any) -> None:
        """None takes a value away."""
        merged = {**self.tables.get(table, {}), **values}
        self.tables[table] = {key: value for key, value in merged.items() if value is not None}
        write_private(self.path, as_toml(self.tables))

    def drop(self, table: str) -> None:
        self.tables.pop(table, None)
        write_private(self.path, as_toml(self.tables))

    def text(self) -> str:
        """The studio file of these answers, for `postflow setup --file`."""
        return as_toml({name: table for name, table in self.tables.items() if name != ASIDE})

    def file(self) -> StudioFile:
        return StudioFile.model_validate(tomllib.loads(self.text()))

    def forget(self) -> None:
        for each in folder().glob(f"{self.path.stem}.*"):
            each.unlink()


def folder() -> Path:
    return state_dir() / "setup"
