"""Environment variables win over what the blocks hold, for secrets only."""

from __future__ import annotations

import os

from pydantic import SecretStr


def secret_from_environment(variable: str) -> SecretStr | None:
    """The variable's value as a secret; None when unset or empty."""
    value = os.environ.get(variable)
    return SecretStr(value) if value else None
