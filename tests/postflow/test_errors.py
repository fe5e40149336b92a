"""Errors keep their remedy on every way they travel."""

from __future__ import annotations

import errno
import pickle

import pytest

from postflow.errors import Fatal, PostFlowError, Retry, Skip, as_ours
from postflow.ledger import StaleClaim

ERRORS = [
    Skip("No.", hint="Rename it.", code="name.unknown"),
    Retry("Busy.", hint="Wait.", code="frameio.busy", retry_after=7.5),
    Fatal("Gone.", hint="Mend it.", code="frameio.not_found"),
    StaleClaim("Taken.", hint="Nothing.", code="ledger.stale"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_whole(error: PostFlowError) -> None:
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_a_full_disk_is_nobodys_fault() -> None:
    full = as_ours(OSError(errno.ENOSPC, "No space left on device", "/state/locks/a.lock"))
    assert (type(full), full.code) == (Retry, "postflow.disk_full")
    assert "/state/locks/a.lock" in full.message
