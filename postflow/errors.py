"""Errors, classed by what happens next.

PostFlowError
├── Skip     this file does not travel; the rest do
├── Retry    the same attempt may succeed later
└── Fatal    a person has to change something first
"""

from __future__ import annotations

import errno
from functools import partial

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
