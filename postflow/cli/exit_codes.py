"""What scripts can rely on."""

from __future__ import annotations

from enum import IntEnum

from postflow.errors import Fatal, PostFlowError, Skip


class Exit(IntEnum):
    """Of several files, the gravest counts: fatal, then retry, then skipped."""

    DELIVERED = 0
    USAGE = 2
    SKIPPED = 3
    RETRY = 4
    FATAL = 5
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code(error: PostFlowError | None) -> Exit:
    if error is None:
        return Exit.DELIVERED
    if isinstance(error, Skip):
        return Exit.SKIPPED
    if isinstance(error, Fatal):
        return Exit.FATAL
    return Exit.RETRY
