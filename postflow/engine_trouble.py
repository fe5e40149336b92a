"""What Prefect's client raises when its server does not do its part, in a person's words."""

from __future__ import annotations

import httpx

from postflow.errors import Retry


def engine_trouble(error: httpx.HTTPError) -> Retry:
    """The failure behind it. Our own clients translate theirs, so what is left is Prefect's."""
    why = type(error).__name__
    if isinstance(error, httpx.HTTPStatusError):
        why = f"it answered {error.response.status_code}"
    return Retry(
        f"Prefect's server does not take the run ({why}).",
        hint="See that it runs, and that PREFECT_API_URL leads to it; then try again.",
        code="prefect.unreachable",
    )
