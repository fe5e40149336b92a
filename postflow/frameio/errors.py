"""What Frame.io refuses, in words a person can act on. Never quotes a token or an address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from postflow.errors import Fatal, PostFlowError, Refusal, Retry, printable
from postflow.language import N_

from .models import Problem, Problems

REMOTE_UPLOAD_LIMIT = 50 * 10**9
LOCAL_UPLOAD_LIMIT = 5 * 10**12
NAME_LIMIT = 255

_REFUSED = N_("Frame.io refused to {doing} ({status}). {details}")
REFUSED = Refusal(
    Fatal, "frameio.refused", _REFUSED, "Mend what Frame.io objects to, then try again."
)
BY_STATUS = {
    401: Refusal(
        Fatal,
        "frameio.unauthorized",
        _REFUSED,
        "The sign-in most often lacks the scope additional_info.roles. Run `postflow check`.",
    ),
    402: Refusal(
        Fatal, "frameio.refused", _REFUSED, "Look at the account's plan and invoices in Frame.io."
    ),
    403: Refusal(
        Fatal,
        "frameio.forbidden",
        _REFUSED,
        "Give the signed-in user, or the service account, editing rights on the project.",
    ),
    404: Refusal(
        Fatal,
        "frameio.not_found",
        _REFUSED,
        "It was deleted, moved out of reach, or belongs to another account. Run `postflow check`.",
    ),
    409: Refusal(
        Fatal,
        "frameio.conflict",
        _REFUSED,
        "Something else changed it at the same moment. Look at it in Frame.io, then try again.",
    ),
}
REDIRECTED = Refusal(
    Fatal,
    "frameio.redirected",
    "Frame.io's address answers with a redirect ({status}).",
    "A proxy, or the sign-in page of a network, may answer in its place: check this machine's "
    "network. Else correct the base URL of the Frame.io account; it is https://api.frame.io.",
)
STORAGE_FULL = Refusal(
    Fatal,
    "frameio.storage_full",
    "The storage of the Frame.io account is full. {details}",
    "Free room in the account, or buy more storage.",
)
BUSY = Refusal(
    Retry,
    "frameio.busy",
    "Frame.io is too busy to {doing}.",
    "It is tried again by itself; see https://status.frame.io if it lasts.",
)
UNREACHABLE = Refusal(
    Retry,
    "frameio.unreachable",
    "Frame.io cannot be reached to {doing}.",
    "Check this machine's network, proxy and firewall.",
)
UNREADABLE = Refusal(
    Retry,
    "frameio.unreadable",
    "Asked to {doing}, Frame.io's address answered something that is not Frame.io's.",
    "A proxy or captive portal may stand between; check this machine's network.",
)
UNKNOWN_ITEM = Refusal(
    Retry,
    "frameio.unknown_item",
    "Frame.io has something called {name} that this PostFlow cannot read, so nobody can say "
    "whether it is what is wanted.",
    "Look at it in Frame.io. If nothing is wrong with it, a newer PostFlow may know it.",
)
UNSETTLED = Refusal(
    Retry,
    "frameio.unsettled",
    "Asked to {doing}, Frame.io gave no answer, and it cannot be told if it did.",
    "It is looked for again at the next attempt, so nothing is made twice.",
)
BAD_NAME = Refusal(
    Fatal,
    "frameio.bad_name",
    "A name of {length} characters cannot be used in Frame.io.",
    "Use a name of 1 to {most} characters.",
)
TOO_LARGE = Refusal(
    Fatal,
    "frameio.too_large",
    "The file has {size:.1f} GB; Frame.io fetches files up to 50 GB through a tunnel.",
    'Send it directly: `--transfer direct`, or transfer = "auto" in the studio.',
)
TOO_LARGE_FOR_ALL = Refusal(
    Fatal,
    "frameio.too_large",
    "The file has {size:.1f} GB; Frame.io takes files up to 5,000 GB.",
    "Deliver a smaller encoding.",
)
ODD_PARTS = Refusal(
    Retry,
    "frameio.odd_parts",
    "Frame.io has parts for {parts:,} bytes of a file of {size:,}.",
    "It is asked again. If this repeats, please report it, and deliver through a tunnel.",
)
BAD_STACK = Refusal(
    Fatal,
    "frameio.bad_stack",
    "A version stack cannot be created from {count} files.",
    "Frame.io takes {fewest} to {most} different files; move further ones on.",
)
NO_LINK = Refusal(
    Retry,
    "frameio.no_link",
    "Frame.io made a share and gave no address for it.",
    "Look at the project's shares in Frame.io; the link may be copied there.",
)
INACTIVE = Refusal(
    Fatal,
    "frameio.project_inactive",
    "The Frame.io project “{name}” is inactive.",
    "Activate it in Frame.io, or choose another project.",
)

# Without its scheme too, where a part of its path is long enough for a secret.
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\S*/[\w-]{32,}\S*", re.IGNORECASE)
_DETAIL_LIMIT = 300
# No document says in which words, or with which status, a full account refuses.
_ROOM = r"\b(storage|quota|space)\b"
_NONE = r"\b(full|exceed\w*|limit\w*|reached|insufficient|not enough|out of|no more|over|used up)\b"
_NEAR = r"[^.]{0,60}"
_FULL = re.compile(rf"{_ROOM}{_NEAR}{_NONE}|{_NONE}{_NEAR}{_ROOM}", re.IGNORECASE)
_NEVER_FULL = {401, 404, 429}


def refusal(answer: httpx.Response, doing: str) -> PostFlowError:
    """The failure behind an answer that is neither a success nor worth another try."""
    status, details = answer.status_code, _details(answer)
    if answer.is_redirect:
        return REDIRECTED(status=status)
    if answer.headers.get("content-type", "").startswith("text/html"):  # a proxy's page
        return UNREADABLE(doing=doing)
    if status not in _NEVER_FULL and _FULL.search(re.sub("[_-]", " ", answer.text)):
        return STORAGE_FULL(details=details)
    return BY_STATUS.get(status, REFUSED)(doing=doing, status=status, details=details)


@contextmanager
def suppress_not_found() -> Iterator[None]:
    """Leave the block at Frame.io's 404: somebody has deleted what is asked for."""
    try:
        yield
    except Fatal as error:
        if error.code != "frameio.not_found":
            raise


def check_name(name: str) -> None:
    """Frame.io takes names of 1 to 255 characters."""
    if not 1 <= len(name) <= NAME_LIMIT:
        raise BAD_NAME(length=len(name), most=NAME_LIMIT)


def check_size(size: int, limit: int = REMOTE_UPLOAD_LIMIT) -> None:
    """Frame.io fetches files up to 50 GB; taken as decimal, the smaller reading."""
    if size > limit:
        refused = TOO_LARGE if limit == REMOTE_UPLOAD_LIMIT else TOO_LARGE_FOR_ALL
        raise refused(size=size / 1e9)


def _details(answer: httpx.Response) -> str:
    try:
        problems = Problems.model_validate_json(answer.content).errors
    except ValueError:
        return ""
    return " ".join(_sentence(problem) for problem in problems)


def _sentence(problem: Problem) -> str:
    said = printable(" ".join(problem.detail.split()))
    detail = _URL.sub("[address]", said)[:_DETAIL_LIMIT].rstrip(".")
    pointer = problem.source.pointer if problem.source else ""
    return f"{detail} (at {pointer})." if pointer else f"{detail}."
