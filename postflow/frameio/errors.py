"""What Frame.io refuses, in words a person can act on. Never quotes a token or an address."""

from __future__ import annotations

import re

import httpx

from postflow.errors import Fatal, PostFlowError, Retry

from .endpoints import Endpoint
from .models import Problem, Problems

REMOTE_UPLOAD_LIMIT = 50 * 10**9
NAME_LIMIT = 255

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_DETAIL_LIMIT = 300
# No document says in which words, or with which status, a full account refuses.
_ROOM = r"\b(storage|quota|space)\b"
_NONE = r"\b(full|exceed\w*|limit\w*|reached|insufficient|not enough|out of|no more|over|used up)\b"
_NEAR = r"[^.]{0,60}"
_FULL = re.compile(rf"{_ROOM}{_NEAR}{_NONE}|{_NONE}{_NEAR}{_ROOM}", re.IGNORECASE)
_NEVER_FULL = {401, 404, 429}
# status -> (code, hint)
_REFUSALS = {
    402: ("frameio.refused", "Look at the account's plan and invoices in Frame.io."),
    401: (
        "frameio.unauthorized",
        "The sign-in most often lacks the scope additional_info.roles. Run `postflow check`.",
    ),
    403: (
        "frameio.forbidden",
        "Give the signed-in user, or the service account, editing rights on the project.",
    ),
    404: (
        "frameio.not_found",
        "It was deleted, moved out of reach, or belongs to another account. Run `postflow check`.",
    ),
    409: (
        "frameio.conflict",
        "Something else changed it at the same moment. Look at it in Frame.io, then try again.",
    ),
}
_REFUSED = ("frameio.refused", "Mend what Frame.io objects to, then try again.")


def refusal(answer: httpx.Response, endpoint: Endpoint) -> PostFlowError:
    """The failure behind an answer that is neither a success nor worth another try."""
    if answer.is_redirect:
        return Fatal(
            f"Frame.io's address answers with a redirect ({answer.status_code}).",
            hint="Check the base URL of the Frame.io account; it is https://api.frame.io.",
            code="frameio.redirected",
        )
    if answer.status_code not in _NEVER_FULL and _FULL.search(re.sub("[_-]", " ", answer.text)):
        return storage_full(" ".join(_details(answer)))
    code, hint = _REFUSALS.get(answer.status_code, _REFUSED)
    message = f"Frame.io refused to {endpoint.doing} ({answer.status_code})."
    return Fatal(" ".join([message, *_details(answer)]), hint=hint, code=code)


def storage_full(details: str) -> Fatal:
    return Fatal(
        f"The storage of the Frame.io account is full. {details}".strip(),
        hint="Free room in the account, or buy more storage.",
        code="frameio.storage_full",
    )


def busy(endpoint: Endpoint, *, retry_after: float | None = None) -> Retry:
    return Retry(
        f"Frame.io is too busy to {endpoint.doing}.",
        hint="It is tried again by itself; see https://status.frame.io if it lasts.",
        code="frameio.busy",
        retry_after=retry_after,
    )


def unreachable(endpoint: Endpoint) -> Retry:
    return Retry(
        f"Frame.io cannot be reached to {endpoint.doing}.",
        hint="Check this machine's network, proxy and firewall.",
        code="frameio.unreachable",
    )


def unreadable(endpoint: Endpoint) -> Retry:
    return Retry(
        f"Asked to {endpoint.doing}, Frame.io's address answered something that is not Frame.io's.",
        hint="A proxy or captive portal may stand between; check this machine's network.",
        code="frameio.unreadable",
    )


def unreadable_item(name: str) -> Retry:
    return Retry(
        f"Frame.io has something called {name} that this PostFlow cannot read, so nobody can say "
        "whether it is what is wanted.",
        hint="Look at it in Frame.io. If nothing is wrong with it, a newer PostFlow may know it.",
        code="frameio.unknown_item",
    )


def unsettled(endpoint: Endpoint) -> Retry:
    return Retry(
        f"Asked to {endpoint.doing}, Frame.io gave no answer, and it cannot be told if it did.",
        hint="It is looked for again at the next attempt, so nothing is made twice.",
        code="frameio.unsettled",
    )


def check_name(name: str) -> None:
    """Frame.io takes names of 1 to 255 characters."""
    if not 1 <= len(name) <= NAME_LIMIT:
        raise Fatal(
            f"A name of {len(name)} characters cannot be used in Frame.io.",
            hint=f"Use a name of 1 to {NAME_LIMIT} characters.",
            code="frameio.bad_name",
        )


def check_size(size: int) -> None:
    """Frame.io fetches files up to 50 GB; taken as decimal, the smaller reading."""
    if size > REMOTE_UPLOAD_LIMIT:
        raise Fatal(
            f"The file has {size / 1e9:.1f} GB; Frame.io fetches files up to 50 GB.",
            hint="Upload it by hand in Frame.io, or deliver a smaller encoding.",
            code="frameio.too_large",
        )


def _details(answer: httpx.Response) -> list[str]:
    try:
        problems = Problems.model_validate_json(answer.content).errors
    except ValueError:
        return []
    return [_sentence(problem) for problem in problems]


def _sentence(problem: Problem) -> str:
    detail = _URL.sub("[address]", " ".join(problem.detail.split()))[:_DETAIL_LIMIT].rstrip(".")
    pointer = problem.source.pointer if problem.source else ""
    return f"{detail} (at {pointer})." if pointer else f"{detail}."
