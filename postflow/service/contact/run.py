"""The visit from its beginning to its end, and which trial answers which question."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any, NamedTuple

from postflow.blocks.adobe import BlockTokenStore
from postflow.blocks.studio import Studio
from postflow.delivery.ways import NO_TUNNEL
from postflow.errors import Fatal, PostFlowError, Retry
from postflow.locks import one_at_a_time
from postflow.outlet.ngrok.binary import version as ngrok_version
from postflow.outlet.probe import probe
from postflow.outlet.tunnel import TunnelProvider
from postflow.sandbox.clips import clip_path

from . import fetching, files, manners
from .question import QUESTIONS, Question
from .report import Entry, Report, Versions, answered
from .visit import Bounds, Unanswered, Visit, in_own_folder
from .witness import Witness

# The answer, or those to all of its questions; what is not among them, there was nothing to ask of.
Trial = Callable[[Visit], Coroutine[Any, Any, object]]

TRIALS: dict[Trial, tuple[str, ...]] = {
    manners.offline_access: ("offline_access",),
    manners.rate_window: ("rate_window",),
    manners.strict_query: ("strict_query",),
    manners.page_sizes: ("page_sizes",),
    manners.include_list: ("include_list",),
    manners.type_list: ("type_list",),
    manners.audit_log: ("audit_log",),
    manners.duplicate_folders: ("duplicate_folders",),
    manners.odd_names: ("odd_names",),
    manners.share_policy: ("share_policy",),
    manners.share_passphrase: ("share_passphrase",),
    manners.share_again: ("share_again",),
    manners.share_assets: ("share_assets",),
    files.duplicate_files: ("duplicate_files",),
    files.media_type_at: ("media_type_at",),
    files.long_parts: ("part_rule", "part_bytes"),
    files.sent: ("part_url_seconds", "signed_content_type", "signed_acl", "part_etag"),
    files.stack_story: ("stack_name", "stack_of_one"),
    files.transcoded: ("transcodes", "transcode_seconds"),
    fetching.fetched: ("probe", "fetch_style", "fetch_user_agent", "fetch_delay", "finish_seconds"),
    fetching.redirects: ("redirects",),
    fetching.without_length: ("without_length",),
    fetching.sizes: ("too_big", "size_limit"),
    fetching.given_up: ("fetch_attempts", "fetch_pause", "fail_seconds"),
    fetching.fetch_idle_timeout: ("fetch_idle_timeout",),
}
TRIAL_OF = {key: trial for trial, keys in TRIALS.items() for key in keys}
# What takes long is under way while the rest is asked.
SLOW = (
    fetching.fetched,
    fetching.given_up,
    fetching.fetch_idle_timeout,
    files.sent,
    files.transcoded,
)
# Has the time of a slow one.
PATIENT = {*SLOW, fetching.redirects, fetching.without_length}

BOUNDS = Bounds()


class Outcome(NamedTuple):
    """One question, and what came of it. `error` says more than may be sent."""

    question: Question
    entry: Entry
    error: PostFlowError | None = None


def about() -> str:
    """What is going to happen, for who starts it."""
    return (
        f"{len(QUESTIONS)} questions to your Frame.io, in a folder of its own that is removed "
        f"afterwards. Some minutes, at most {BOUNDS.total / 60:.0f}."
    )


async def contact(
    studio: Studio, tell: Callable[[Outcome], None], *, bounds: Bounds = BOUNDS
) -> Report:
    """Ask, `tell` of each question, and clean up on every way out.

    Raises Fatal and Retry where there is no sign-in or no project; what cannot be asked is told.
    """
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        try:  # another visit of this machine would take our folder for a leftover
            await stack.enter_async_context(one_at_a_time("contact", timeout=0.0))
        except Retry as busy:
            raise Retry(
                "Another `postflow contact` runs on this machine.",
                hint="Wait until it is over.",
                code="contact.running",
            ) from busy
        client = await stack.enter_async_context(studio.frameio.get_client())
        at = studio.frameio
        visit = Visit(
            frameio=client,
            project=await client.projects.find(at.project, at.account, at.workspace),
            clip=clip_path(),
            bounds=bounds,
            renews=await _renews(studio),
        )
        tunnel = studio.tunnel
        provider, port = (tunnel.get_client(), tunnel.port) if tunnel else (None, 0)
        answers = await ask_all(visit, provider, tell, port=port)
    seconds = round(time.monotonic() - began, 1)
    return Report(versions=await _versions(studio), seconds=seconds, answers=answers)


async def ask_all(
    visit: Visit,
    provider: TunnelProvider | None,
    tell: Callable[[Outcome], None],
    *,
    port: int = 0,
    questions: Iterable[Question] = QUESTIONS,
) -> dict[str, Entry]:
    """In a folder of its own, which is gone afterwards. The rest is not asked once time is up."""
    entries: dict[str, Entry] = {}
    ends = time.monotonic() + visit.bounds.total
    async with in_own_folder(visit), AsyncExitStack() as stack:
        closed = await _open_tunnel(visit, provider, port, stack)
        if questions is QUESTIONS and visit.folder:
            for trial in SLOW:
                visit.begin(trial)
        for question in questions:
            outcome = await _outcome(visit, question, ends, closed)
            entries[question.key] = outcome.entry
            tell(outcome)
    return entries


async def _renews(studio: Studio) -> bool | None:
    if studio.adobe.get_credential().is_service:
        return None
    tokens = await BlockTokenStore(studio.adobe.document_name).load()
    return tokens is not None and tokens.refresh_token is not None


async def _open_tunnel(
    visit: Visit, provider: TunnelProvider | None, port: int, stack: AsyncExitStack
) -> PostFlowError | None:
    """Why the clip cannot be offered, where it cannot."""
    if provider is None:
        return NO_TUNNEL()
    witness = Witness(visit.clip, port=port)
    async with AsyncExitStack() as opening:
        try:
            await opening.enter_async_context(witness)
            tunnel = await opening.enter_async_context(provider.open(witness.url))
            visit.witness, visit.public_url = witness, tunnel.public_url
            _, url = visit.offer()
            await probe(url, len(visit.body))
        except PostFlowError as error:
            visit.witness = None
            return error
        stack.push_async_callback(opening.pop_all().aclose)
    return None


async def _outcome(
    visit: Visit, question: Question, ends: float, closed: PostFlowError | None
) -> Outcome:
    began = time.monotonic()
    trial = TRIAL_OF[question.key]
    bound = visit.bounds.question + (visit.bounds.slow if trial in PATIENT else 0.0)
    error, status, why = None, None, None
    try:
        async with asyncio.timeout(min(bound, max(0.0, ends - began))):
            answer = await _answer(visit, trial, question.key)
        return Outcome(question, answered(question, answer, time.monotonic() - began))
    except Unanswered as open_question:
        why, status = open_question.why, open_question.status
        error = closed if why == "no tunnel" else None
    except TimeoutError:
        why = "not in time"
    except PostFlowError as failure:
        why = "another answer" if isinstance(failure, Fatal) else "no answer"
        error = failure
    except (LookupError, TypeError, ValueError, AttributeError):  # an answer of another shape
        why = "another answer"
    seconds = round(time.monotonic() - began, 1)
    entry = Entry(asked=question.asks, unanswered=why, status=status, seconds=seconds)
    return Outcome(question, entry, error)


async def _answer(visit: Visit, trial: Trial, key: str) -> object:
    found = await visit.once(trial)
    if not isinstance(found, dict):
        return found
    if key not in found:
        raise Unanswered("nothing to ask")
    return found[key]


async def _versions(studio: Studio) -> Versions:
    agent = None
    if studio.tunnel and studio.tunnel.provider == "ngrok":
        try:
            agent = await ngrok_version(studio.tunnel.ngrok_path)
        except PostFlowError:
            agent = None
    return Versions(
        postflow=version("postflow"),
        python=platform.python_version(),
        prefect=version("prefect"),
        ngrok=agent,
    )
