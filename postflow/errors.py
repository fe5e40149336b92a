"""Errors, classed by what happens next.

PostFlowError
├── Skip     this file does not travel; the rest do
├── Retry    the same attempt may succeed later
└── Fatal    a person has to change something first
"""

from __future__ import annotations

import errno
import os
import traceback
from functools import partial

import httpx

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class PostFlowError(Exception):
    """A foreseeable failure: what happened, what a person can do, and a stable code for scripts."""

    def __init__(self, message: str, *, hint: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[partial[PostFlowError], tuple[()]]:
        """Prefect pickles failures; keyword arguments would not survive that by themselves."""
        return partial(type(self), **vars(self)), ()


class Skip(PostFlowError):
    """The file is not ours to deliver, and its author can learn why."""


class Retry(PostFlowError):
    """The world was not ready. `retry_after` is in seconds, where the world named a time."""

    def __init__(
        self, message: str, *, hint: str, code: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after = retry_after


def as_ours(error: Exception) -> PostFlowError:
    """The error itself, or what a person should know of one that nobody has foreseen."""
    if isinstance(error, PostFlowError):
        return error
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return Retry(
            f"PostFlow cannot write {error.filename or 'what it has to'}: {error.strerror}.",
            hint="Free some space there; it goes on where it stopped.",
            code="postflow.disk_full",
        )
    return Retry(
        f"PostFlow met a fault of its own ({type(error).__name__}).",
        hint="It is tried again. Please report it, with the traceback in the log of the run.",
        code="postflow.fault",
    )


class Fatal(PostFlowError):
    """Trying again changes nothing until somebody mends the set-up."""


def our_fault_at_name(name: str, error: Exception) -> Fatal:
    """One name that our own code trips over; trying again would trip over it again."""
    return Fatal(
        f"PostFlow met a fault of its own at the name {name} ({type(error).__name__}).",
        hint="Rename the clip to deliver it, and please report the name.",
        code="name.fault",
    )


# What lies outside of any clip: sign-in, account, tunnel, ledger, Prefect, this machine.
OUTSIDE = (
    "adobe.",
    "frameio.account_",
    "frameio.busy",
    "frameio.forbidden",
    "frameio.no_account",
    "frameio.project_",
    "frameio.redirected",
    "frameio.storage_full",
    "frameio.unauthorized",
    "frameio.unreachable",
    "frameio.workspace_",
    "ledger.",
    "outlet.",
    "postflow.disk_full",
    "postflow.locked",
    "postflow.state_dir",
    "prefect.",
    "tunnel.",
)


def lies_outside(error: PostFlowError) -> bool:
    """Is the reason none of the clip's, so that it goes by itself once that is mended?"""
    return error.code.startswith(OUTSIDE)


BUSY = {408, 429}
ITS_CLIENT = ("prefect.client.orchestration", "prefect.client.base")
# What comes of an answer that is HTML, or JSON of another kind.
NONSENSE = (httpx.InvalidURL, ValueError, AttributeError, LookupError, TypeError)


def engine_trouble(error: BaseException) -> PostFlowError | None:
    """The failure behind it; None if it is not Prefect's.

    Our own clients translate theirs, so what is left of HTTP is Prefect's.
    """
    if isinstance(error, BaseExceptionGroup):  # of Prefect's runner
        return next(filter(None, map(engine_trouble, error.exceptions)), None)
    if isinstance(error, httpx.HTTPStatusError):
        return _refusal(error.response.status_code)
    if isinstance(error, httpx.TransportError):
        return _out_of_reach(error)
    if isinstance(error, NONSENSE):
        return _no_prefect() if _is_of_its_client(error) else None
    if isinstance(error, RuntimeError) and "ephemeral Prefect API server" in str(error):
        return Retry(
            "Prefect did not start in time on this machine.",
            hint="Start `postflow up`, or `prefect server start`, and leave it running: then "
            "nothing has to wait for a start. A busy machine takes longer.",
            code="prefect.server",
        )
    return None


def _refusal(status: int) -> PostFlowError:
    if status == 401:
        return _locked_out()
    if status == 403:
        return Fatal(
            "Prefect's server, or what stands before it, refuses this machine (403).",
            hint="See the rules of the proxy or VPN before it, and that "
            "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED is not switched off here.",
            code="prefect.refused",
        )
    if status >= 500 or status in BUSY:
        return Retry(
            f"Prefect's server does not do its part: it answered {status}.",
            hint="Its log says why; nothing that was begun is lost. Then try again.",
            code="prefect.unreachable",
        )
    if status == 404 or status < 400:
        return _no_prefect()
    return Fatal(
        f"Prefect's server does not take what PostFlow asks: it answered {status}.",
        hint="Ask it under a name that it knows, and let its version be the one of the Prefect "
        "that is installed here (`prefect version`).",
        code="prefect.refused",
    )


def _locked_out() -> Fatal:
    given = os.environ.get("PREFECT_API_AUTH_STRING")
    told = "does not accept the password" if given else "asks for a password"
    return Fatal(
        f"Prefect's server {told} (401).",
        hint="Set PREFECT_API_AUTH_STRING to what PREFECT_SERVER_API_AUTH_STRING is on the server "
        "(PREFECT_API_KEY for Prefect Cloud). The server of `postflow up` on this machine needs "
        "none of these, nor PREFECT_API_URL.",
        code="prefect.password",
    )


def _no_prefect() -> Fatal:
    return Fatal(
        "What answers at PREFECT_API_URL is not the API of a Prefect server.",
        hint="Correct the address: it looks like http://127.0.0.1:4200/api, with the /api.",
        code="prefect.address",
    )


def _out_of_reach(error: httpx.TransportError) -> Retry:
    hint = "Start it with `prefect server start`, or correct PREFECT_API_URL."
    if isinstance(error, httpx.ProxyError):
        hint = "A proxy stands in the way: name the server's host in NO_PROXY."
    elif "CERTIFICATE_VERIFY_FAILED" in str(error):
        hint = "Its certificate is not trusted here: PREFECT_API_SSL_CERT_FILE names who signed it."
    return Retry(
        f"Prefect's server cannot be reached ({type(error).__name__}).",
        hint=hint,
        code="prefect.unreachable",
    )


def _is_of_its_client(error: BaseException) -> bool:
    """Did Prefect's client raise it, over an answer that makes no sense?

    Its `utilities` stand around much else, the validators of our blocks among that.
    """
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(each.f_globals.get("__name__")).startswith(ITS_CLIENT) for each in frames)
