"""What is wrong with a block, field by field, and never with a value: it may be a secret."""

from __future__ import annotations

from pydantic import ValidationError


def problems(error: ValidationError) -> str:
    """One line: each field and what is wrong with it."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the table'}: "
        + problem["msg"].removeprefix("Value error, ")
        for problem in error.errors(include_input=False, include_url=False)
    )
