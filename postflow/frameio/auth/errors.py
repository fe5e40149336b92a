"""What IMS refuses, in words a person can act on. Never quotes a token, code or secret."""

from __future__ import annotations

import re

import httpx

from postflow.errors import Fatal, PostFlowError, Retry

_CONSOLE = "the credential's page at https://developer.adobe.com/console"
# error -> (code, what happened, what a person can do)
_KNOWN = {
    "invalid_grant": (
        "adobe.signed_out",
        "Adobe no longer accepts the stored sign-in.",
        "Run `postflow login`.",
    ),
    "invalid_client": (
        "adobe.client_refused",
        "Adobe does not know this client id and secret.",
        f"Compare client_id and client_secret with {_CONSOLE}.",
    ),
    "unauthorized_client": (
        "adobe.client_refused",
        "This Adobe credential may not sign in this way.",
        f"Compare the kind of credential (web, native, service) with {_CONSOLE}.",
    ),
    "invalid_scope": (
        "adobe.scope_refused",
        "Adobe does not grant the scopes asked for.",
        f"Add the Frame.io API to the project, and compare the scopes with {_CONSOLE}.",
    ),
    "access_denied": (
        "adobe.access_denied",
        "The sign-in was refused.",
        "Sign in with an account that is a beta user of the credential, and allow access.",
    ),
}


def explained(error: str) -> PostFlowError:
    """The failure behind an OAuth `error` value."""
    word = re.sub(r"[^\w.-]", "", error)[:60] or "no reason given"
    code, message, hint = _KNOWN.get(
        error,
        ("adobe.refused", f"Adobe refused the sign-in ({word}).", "Run `postflow check`."),
    )
    return Fatal(message, hint=hint, code=code)


def ims_refusal(answer: httpx.Response) -> PostFlowError:
    """The failure behind an answer that is not a success."""
    if answer.status_code == 429 or answer.status_code >= 500:
        return Retry(
            f"Adobe's sign-in service is not available ({answer.status_code}).",
            hint="It is tried again by itself; see https://status.adobe.com if it lasts.",
            code="adobe.busy",
        )
    return explained(_error_of(answer))


def ims_unreachable(url: str) -> Retry:
    return Retry(
        f"Adobe's sign-in service at {url} cannot be reached.",
        hint="Check this machine's network, proxy and firewall.",
        code="adobe.unreachable",
    )


def ims_unreadable() -> Retry:
    return Retry(
        "Adobe's sign-in service answered something that is not its own.",
        hint="A proxy or captive portal may stand between; check this machine's network.",
        code="adobe.unreadable",
    )


def _error_of(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}"
    return str(body.get("error", "")) if isinstance(body, dict) else ""
