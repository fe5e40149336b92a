"""What Prefect raises, told as ours; what others raise is left alone."""

from __future__ import annotations

import json

import httpx
import pytest

from postflow.errors import PostFlowError, engine_trouble

ASKED = httpx.Request("GET", "http://user:CanaryPassword@127.0.0.1:4200/api")


def answered(status: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("no", request=ASKED, response=httpx.Response(status))


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (answered(401), "prefect.password", "PREFECT_API_AUTH_STRING"),
        (answered(403), "prefect.refused", "proxy or VPN"),
        (answered(404), "prefect.address", "/api"),
        (answered(409), "prefect.refused", "version"),
        (answered(429), "prefect.unreachable", "try again"),
        (answered(503), "prefect.unreachable", "log says why"),
        (httpx.ConnectError("refused"), "prefect.unreachable", "PREFECT_API_URL"),
        (httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"), "prefect.unreachable", "SSL_CERT_FILE"),
        (httpx.ProxyError("407"), "prefect.unreachable", "NO_PROXY"),
        (
            RuntimeError("Timed out while attempting to connect to ephemeral Prefect API server."),
            "prefect.server",
            "postflow up",
        ),
        (
            ExceptionGroup("a runner", [ValueError(), answered(401)]),
            "prefect.password",
            "AUTH_STRING",
        ),
    ],
    ids=repr,
)
def test_each_has_its_remedy(error: Exception, code: str, hint: str) -> None:
    told = engine_trouble(error)
    assert isinstance(told, PostFlowError)
    assert told.code == code
    assert hint in told.hint
    assert "Canary" not in str(told)


def test_a_client_that_looks_at_its_server_first_says_why_it_cannot() -> None:
    error = RuntimeError("Failed to reach API at http://127.0.0.1:4200/api")
    error.__cause__ = httpx.ConnectError("refused")
    told = engine_trouble(error)
    assert told
    assert told.code == "prefect.unreachable"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("ours"),
        RuntimeError("ours"),
        json.JSONDecodeError("ours", "", 0),
        ExceptionGroup("ours", [ValueError()]),
    ],
    ids=repr,
)
def test_what_is_not_of_prefect_is_no_trouble_of_its(error: Exception) -> None:
    assert engine_trouble(error) is None
