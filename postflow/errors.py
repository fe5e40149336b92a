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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from postflow.language import N_, Words, shortened, told

if TYPE_CHECKING:
    import httpx

E = TypeVar("E", bound="PostFlowError", covariant=True)

FRENCH_SPACES = "\u00a0\u202f"  # which do not break, and count as not printable in Python
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class Told(NamedTuple):
    message: str
    hint: str


class PostFlowError(Exception):
    """A foreseeable failure: what happened, what a person can do, and a stable code for scripts."""

    def __init__(self, message: str, *, hint: str, code: str, **facts: object) -> None:
        """`facts` fill the `{names}` of message and hint, in English and where they are `told`."""
        self.message = _words(message, facts)
        self.hint = _words(hint, facts)
        self.code = code
        super().__init__(self.message)

    def __str__(self) -> str:
        return str(self.whole)

    @property
    def whole(self) -> Words:
        return Words("{message} {hint}", message=self.message, hint=self.hint)

    @property
    def told(self) -> Told:
        """Its words in the language spoken."""
        return Told(told(self.message), told(self.hint))

    def __reduce__(self) -> tuple[partial[PostFlowError], tuple[()]]:
        """Prefect pickles failures; keyword arguments would not survive that by themselves."""
        return partial(type(self), **vars(self)), ()


class Skip(PostFlowError):
    """The file is not ours to deliver, and its author can learn why."""


class Retry(PostFlowError):
    """The world was not ready. `retry_after` is in seconds, where the world named a time."""

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        code: str,
        retry_after: float | None = None,
        **facts: object,
    ) -> None:
        super().__init__(message, hint=hint, code=code, **facts)
        self.retry_after = retry_after


class Fatal(PostFlowError):
    """Trying again changes nothing until somebody mends the set-up."""


def _words(text: str, facts: dict[str, object]) -> Words:
    return text if isinstance(text, Words) and text.facts else Words(text, **facts)


@dataclass(frozen=True)
class Refusal(Generic[E]):
    """One row of a table of errors. Called with the facts its texts name, it makes the error."""

    error: type[E]
    code: str
    message: str
    hint: str
    retry_after: float | None = None

    def __call__(self, **facts: object) -> E:
        error = self.error(self.message, hint=self.hint, code=self.code, **facts)
        if isinstance(error, Retry):
            error.retry_after = self.retry_after
        return error


DISK_FULL = Refusal(
    Retry,
    "postflow.disk_full",
    "PostFlow cannot write {what}: {reason}.",
    "Free some space there; it goes on where it stopped.",
)
FAULT = Refusal(
    Retry,
    "postflow.fault",
    "PostFlow met a fault of its own ({kind}).",
    "It is tried again. Please report it, with the traceback in the log of the run.",
)
FAULT_AT_NAME = Refusal(
    Fatal,
    "name.fault",
    "PostFlow met a fault of its own at the name {name} ({kind}).",
    "Rename the clip to deliver it, and please report the name.",
)


def as_ours(error: Exception) -> PostFlowError:
    """The error itself, or what a person should know of one that nobody has foreseen."""
    if isinstance(error, PostFlowError):
        return error
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return DISK_FULL(what=error.filename or N_("what it has to"), reason=error.strerror)
    return FAULT(kind=type(error).__name__)


def printable(name: Path | str) -> str:
    """A file's name for people: no control characters, nothing that cannot be encoded."""
    return "".join(c if c.isprintable() or c in FRENCH_SPACES else "\ufffd" for c in str(name))


def shown(text: str) -> str:
    """The text quoted for a person: what cannot be seen is spelled out, what is long is cut."""
    seen = (c if c.isprintable() else f"\\u{ord(c):04x}" for c in shortened(text, 80))
    return f"“{''.join(seen)}”"


def our_fault_at_name(name: str, error: Exception) -> Fatal:
    """One name that our own code trips over; trying again would trip over it again."""
    return FAULT_AT_NAME(name=name, kind=type(error).__name__)


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


PREFECT_REFUSED = Refusal(
    Fatal,
    "prefect.refused",
    "Prefect's server does not take what PostFlow asks: it answered {status}.",
    "Ask it under a name that it knows, and let its version be the one of the Prefect that is "
    "installed here (`prefect version`).",
)
PREFECT_BUSY = Refusal(
    Retry,
    "prefect.unreachable",
    "Prefect's server does not do its part: it answered {status}.",
    "Its log says why; nothing that was begun is lost. Then try again.",
)
NO_PREFECT = Refusal(
    Fatal,
    "prefect.address",
    "What answers at PREFECT_API_URL is not the API of a Prefect server.",
    "Correct the address: it looks like http://127.0.0.1:4200/api, with the /api.",
)
LOCKED_OUT = Refusal(
    Fatal,
    "prefect.password",
    "Prefect's server {does} (401).",
    "Set PREFECT_API_AUTH_STRING to what PREFECT_SERVER_API_AUTH_STRING is on the server "
    "(PREFECT_API_KEY for Prefect Cloud). The server of `postflow up` on this machine needs none "
    "of these, nor PREFECT_API_URL.",
)
BY_STATUS = {
    403: Refusal(
        Fatal,
        "prefect.refused",
        "Prefect's server, or what stands before it, refuses this machine (403).",
        "See the rules of the proxy or VPN before it, and that "
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED is not switched off here.",
    ),
    404: NO_PREFECT,
    408: PREFECT_BUSY,
    429: PREFECT_BUSY,
}
OUT_OF_REACH = Refusal(
    Retry, "prefect.unreachable", "Prefect's server cannot be reached ({kind}).", "{remedy}"
)
SLOW_START = Refusal(
    Retry,
    "prefect.server",
    "Prefect did not start in time on this machine.",
    "Start `postflow up`, or `prefect server start`, and leave it running: then nothing has to "
    "wait for a start. A busy machine takes longer.",
)

ITS_CLIENT = ("prefect.client.orchestration", "prefect.client.base")
# What comes of an answer that is HTML, or JSON of another kind.
NONSENSE = (ValueError, AttributeError, LookupError, TypeError)


@contextmanager
def engine_told() -> Iterator[None]:
    """What Prefect fails with is raised as our own."""
    try:
        yield
    except Exception as error:
        if trouble := engine_trouble(error):
            raise trouble from error
        raise


def engine_trouble(error: BaseException) -> PostFlowError | None:
    """The failure behind it; None if it is not Prefect's.

    Our own clients translate theirs, so what is left of HTTP is Prefect's.
    """
    import httpx

    if isinstance(error, BaseExceptionGroup):  # of Prefect's runner
        return next(filter(None, map(engine_trouble, error.exceptions)), None)
    if isinstance(error, httpx.HTTPStatusError):
        return _refused(error.response.status_code)
    if isinstance(error, httpx.TransportError):
        return OUT_OF_REACH(kind=type(error).__name__, remedy=_way_to_reach(error))
    if isinstance(error, (httpx.InvalidURL, *NONSENSE)):
        return NO_PREFECT() if _is_of_its_client(error) else None
    if isinstance(error, RuntimeError) and "ephemeral Prefect API server" in str(error):
        return SLOW_START()
    if isinstance(error, RuntimeError) and str(error).startswith("Failed to reach API"):
        return engine_trouble(error.__cause__) if error.__cause__ else None
    return None


def _refused(status: int) -> PostFlowError:
    if status == 401:
        given = os.environ.get("PREFECT_API_AUTH_STRING")
        return LOCKED_OUT(
            does=N_("does not accept the password") if given else N_("asks for a password")
        )
    if status < 400:
        return NO_PREFECT()
    return BY_STATUS.get(status, PREFECT_BUSY if status >= 500 else PREFECT_REFUSED)(status=status)


def _way_to_reach(error: httpx.TransportError) -> str:
    import httpx

    if isinstance(error, httpx.ProxyError):
        return N_("A proxy stands in the way: name the server's host in NO_PROXY.")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return N_(
            "Its certificate is not trusted here: PREFECT_API_SSL_CERT_FILE names who signed it."
        )
    return N_("Start it on its machine, as it was set up there, or correct PREFECT_API_URL.")


def _is_of_its_client(error: BaseException) -> bool:
    """Did Prefect's client raise it, over an answer that makes no sense?

    Its `utilities` stand around much else, the validators of our blocks among that.
    """
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(each.f_globals.get("__name__")).startswith(ITS_CLIENT) for each in frames)
