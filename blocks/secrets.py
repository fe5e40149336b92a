"""Environment variables win over what the blocks hold, for secrets only."""

from __future__ import annotations

import os

from pydantic import SecretStr, ValidationError


def secret_from_environment(variable: str) -> SecretStr | None:
    """The variable's value as a secret; None when unset or empty."""
    value = os.environ.get(variable)
    return SecretStr(value) if value else None


def problems(error: ValidationError) -> str:
    """One line: each field and what is wrong with it."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the table'}: "
        + problem["msg"].removeprefix("Value error, ")
        for problem in error.errors(include_input=False, include_url=False)
    )
