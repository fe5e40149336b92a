"""A studio's TOML file: what it may hold, read without Prefect."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from postflow.errors import Fatal
from postflow.feeds import Alarm, Hook
from postflow.language import Language, of_system
from postflow.ledger.opening import is_shared
from postflow.models import Transfer
from postflow.naming import Naming
from postflow.problems import problems
from postflow.settings import LimitedHours, Rate, RetryPolicy, Watching
from postflow.state import HOST_NAME

STUDIO_NAME = "[a-z0-9][a-z0-9-]*"
HostName = Annotated[str, StringConstraints(pattern=f"^{HOST_NAME}$")]


class StudioSection(BaseModel):
    """`[studio]` of the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(default="main", pattern=f"^{STUDIO_NAME}$")
    naming: str = "undlm"
    rules: list[dict[str, Any]] = Field(default_factory=list)
    language: Language = Field(default_factory=of_system)
    limit: Rate = "none"
    bandwidth: tuple[LimitedHours, ...] = ()
    watching: Watching = Field(default_factory=Watching)
    ledger: SecretStr | None = None
    ping: SecretStr | None = None
    transfer: Transfer = "auto"
    alarms: tuple[Alarm, ...] = ()
    hook: Hook | None = None
    retry_policy: RetryPolicy = Field(default_factory=RetryPolicy)
    hosts: dict[HostName, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _hosts_share_a_ledger(self) -> Self:
        if self.hosts and not is_shared(self.ledger):
            raise ValueError("hosts: they need a ledger on PostgreSQL, which all of them share")
        return self

    def get_naming(self) -> Naming:
        return Naming.of(self.naming, self.rules)


class StudioFile(BaseModel):
    """The whole file: one table for each block."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    studio: StudioSection = Field(default_factory=StudioSection)
    frameio: dict[str, Any]
    adobe: dict[str, Any]
    tunnel: dict[str, Any] | None = None
    discord: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _tunnel_is_there(self) -> Self:
        if self.studio.transfer == "tunnel" and self.tunnel is None:
            raise ValueError("transfer = tunnel needs a table [tunnel], which may be empty")
        return self


def read_studio_file(path: Path) -> StudioFile:
    """Raises Fatal `studio.file`, which names the line or field and never a value, or one of the
    naming rules'.
    """
    try:
        file = StudioFile.model_validate(_loaded(path))
    except ValidationError as error:
        raise unreadable(str(path), problems(error, StudioFile)) from None
    file.studio.get_naming()
    return file


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        where = "" if path.is_absolute() else f" here ({Path.cwd()})"
        raise unreadable(f"there is no file {path}{where}") from error
    except OSError as error:
        raise unreadable(str(path), f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise unreadable(str(path), "it is no text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise unreadable(str(path), _no_toml(str(error))) from error


def _no_toml(error: str) -> str:
    why, _, place = error.rpartition(" (at ")
    why = "text without quotes, or no value" if why == "Invalid value" else why
    return f"it is no TOML at {place.rstrip(')')}: {why}"


def unreadable(*why: str) -> Fatal:
    said = f"The studio file does not load: {': '.join(why)}"
    return Fatal(
        said if said.endswith("?") else f"{said}.",
        hint="`postflow setup --example` prints one with every table and key.",
        code="studio.file",
    )


def read_tables(path: Path) -> dict[str, dict[str, Any]]:
    """The file's tables as they stand, `studio.watching` by that name. Raises Fatal
    `studio.file`.
    """
    tables = _loaded(path)
    nested = tables.get("studio", {})
    inner = {key: nested.pop(key) for key, value in list(nested.items()) if isinstance(value, dict)}
    return tables | {f"studio.{key}": value for key, value in inner.items()}


def as_toml(tables: dict[str, dict[str, Any]]) -> str:
    """TOML of such tables."""
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {_toml(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    """JSON's strings, numbers, lists and truths are TOML's too; its objects are not."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
