"""How a clip gets in: fetched by Frame.io from the witness, or sent in parts."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from postflow.frameio import endpoints

from .manners import INVALID, of_second
from .visit import Reply, Unanswered, Visit
from .witness import TYPE, Answer, Seen, Source, failing, moved, said_to_be, silent, unsized

UNKNOWN_TYPE = "application/octet-stream"
GB_50, GIB_50 = 50 * 10**9, 50 << 30
# Above the one reading of 50 GB and below the other; above both.
ABOVE_GB, ABOVE_GIB = 51 * 10**9, 54 * 10**9
MIB = 1 << 20
LONG = 10**10
AGENT = re.compile(r"[A-Za-z][A-Za-z._-]{0,31}(?:/\d[\d.]{0,15})?")


@dataclass(frozen=True)
class Fetch:
    """A remote_upload. `asked` and `ended` as `time.monotonic` gives them."""

    source: Source
    made: Reply
    asked: float
    state: str = ""
    ended: float = 0.0

    @property
    def probed(self) -> bool:
        """Did Frame.io know the size when it answered?"""
        return bool(self.made.data.get("file_size"))

    @property
    def fetching(self) -> list[Seen]:
        """The requests, but for the one that found out the size."""
        return self.source.seen[1:] if self.probed else self.source.seen


async def request_fetch(visit: Visit, name: str, answer: Answer | None = None) -> Fetch:
    source, url = visit.offer(answer) if answer else visit.offer()
    data = {"name": f"contact_{name}{visit.clip.path.suffix}", "source_url": url.get_secret_value()}
    began = time.monotonic()
    made = await visit.ask(endpoints.REMOTE_UPLOAD, data, folder_id=visit.folder_id)
    return Fetch(source, made, began)


async def fetch(visit: Visit, name: str, answer: Answer | None = None) -> Fetch:
    """Asked for, and over: `state` is then complete or failed."""
    asked = await request_fetch(visit, name, answer)
    state = await arrival(visit, asked.made.expect(201, 202).data["id"])
    return Fetch(asked.source, asked.made, asked.asked, state, time.monotonic())


async def arrival(visit: Visit, file_id: str) -> str:
    async def look() -> str | None:
        told = (await visit.ask(endpoints.UPLOAD_STATUS, file_id=file_id)).expect(200).data
        states = ("upload_failed", "upload_complete")
        return next((each.removeprefix("upload_") for each in states if told.get(each)), None)

    return await visit.until(look, visit.bounds.slow)


async def fetch_whole(visit: Visit, name: str) -> Fetch:
    done = await fetch(visit, name)
    if done.state == "failed" or not done.source.gets():
        raise Unanswered("another answer")
    return done


async def fetched(visit: Visit) -> Fetch:
    return await fetch_whole(visit, "fetched")


async def given_up(visit: Visit) -> Fetch:
    done = await fetch(visit, "given_up", failing)
    if done.state != "failed":
        raise Unanswered("another answer")
    return done


async def fetch_style(visit: Visit) -> str:
    """A clip so small may be fetched otherwise than a large one."""
    requests = (await visit.once(fetched)).fetching
    gets = [each for each in requests if each.method == "GET"]
    if gets[0].range:
        return "ranges"
    if any(each.range for each in gets):
        return "abort_and_resume"
    return "head_then_get" if requests[0].method == "HEAD" else "get"


async def fetch_user_agent(visit: Visit) -> str:
    """Names and versions of programs; what stands in brackets, addresses above all, is left out."""
    said = (await visit.once(fetched)).source.seen[-1].user_agent
    return " ".join(AGENT.findall(re.sub(r"\(.*?\)", "", said))[:3])


async def fetch_delay(visit: Visit) -> float:
    done = await visit.once(fetched)
    return done.fetching[0].at - done.asked


async def finish_seconds(visit: Visit) -> float:
    done = await visit.once(fetched)
    return done.ended - done.source.seen[-1].at


async def probe(visit: Visit) -> str:
    done = await visit.once(fetched)
    return done.source.seen[0].method.lower() if done.probed else "none"


async def fetch_attempts(visit: Visit) -> int:
    return len(await _attempts(visit))


async def _attempts(visit: Visit) -> list[Seen]:
    gets = (await visit.once(given_up)).source.gets()
    return gets[1:] if await probe(visit) == "get" else gets


async def fetch_pause(visit: Visit) -> float:
    tries = await _attempts(visit)
    if len(tries) < 2:
        raise Unanswered("nothing to ask")
    return median(b.at - a.at for a, b in pairwise(tries))


async def fail_seconds(visit: Visit) -> float:
    done = await visit.once(given_up)
    return done.ended - done.source.seen[-1].at


async def silence(visit: Visit) -> Seen:
    """The first request that was left without an end, once it is hung up."""
    asked = await request_fetch(visit, "silent", silent)
    asked.made.expect(201, 202)

    async def look() -> Seen | None:
        return next((get for get in asked.source.gets() if get.ended), None)

    return await visit.until(look, visit.bounds.slow)


async def fetch_idle_timeout(visit: Visit) -> float:
    seen = await visit.once(silence)
    return seen.ended - seen.at


async def redirects(visit: Visit) -> str:
    target, _ = visit.offer()
    done = await fetch(visit, "redirected", moved(target))
    return "followed" if done.state == "complete" and target.seen else "refused"


async def without_length(visit: Visit) -> str:
    return "taken" if (await fetch(visit, "unsized", unsized)).state == "complete" else "refused"


async def refused_size(visit: Visit) -> int:
    """The smallest size that is refused at once, of two; 0 where none is."""
    for size in (ABOVE_GB, ABOVE_GIB):
        asked = await request_fetch(visit, f"of_{size}", said_to_be(size))
        if asked.made.expect(201, 202, 413, *INVALID).status > 202:
            return size
        await visit.ask(endpoints.DELETE_FILE, file_id=asked.made.data["id"])
    return 0


async def too_big(visit: Visit) -> str:
    return "refuse" if await visit.once(refused_size) else "fail"


async def size_limit(visit: Visit) -> int:
    size = await visit.once(refused_size)
    if not size:
        raise Unanswered("nothing to ask")
    return GB_50 if size == ABOVE_GB else GIB_50


@dataclass(frozen=True)
class Sent:
    """A local_upload that Frame.io has taken in. `signed` are names of headers."""

    made: Reply
    signed: frozenset[str]
    valid_seconds: int
    content_type: str | None
    etag: str | None


async def reserve(visit: Visit, name: str, size: int) -> Reply:
    """A place for a file whose bytes are to be sent, with the addresses of its parts."""
    data = {"name": f"contact_{name}{visit.clip.path.suffix}", "file_size": size}
    return await visit.ask(endpoints.LOCAL_UPLOAD, data, folder_id=visit.folder_id)


async def send(visit: Visit, name: str) -> Sent:
    """The clip as one part, with what its address says that is signed."""
    made = (await reserve(visit, name, len(visit.clip.body))).expect(201)
    url = made.data["upload_urls"][0]["url"]
    query = {key.lower(): values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    signed = frozenset(query.get("x-amz-signedheaders", "").split(";"))
    types = (
        [made.data.get("media_type") or UNKNOWN_TYPE, TYPE] if "content-type" in signed else [""]
    )
    for content_type in types:
        answer = await _put(visit, url, signed, content_type)
        if answer.status_code != 403:
            break
    Reply(answer.status_code, {}, {}).expect(200)
    valid = int(query.get("x-amz-expires", 0))
    etag = answer.headers.get("etag")
    if await arrival(visit, made.data["id"]) == "failed":
        raise Unanswered("another answer")
    return Sent(made, signed, valid, content_type, etag)


async def _put(visit: Visit, url: str, signed: frozenset[str], content_type: str) -> httpx.Response:
    headers = {"x-amz-acl": "private"} if "x-amz-acl" in signed else {}
    if content_type:
        headers["content-type"] = content_type
    try:
        async with httpx.AsyncClient(timeout=visit.bounds.question) as store:
            return await store.put(url, content=visit.clip.body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL):  # its text may hold the address
        raise Unanswered("no answer") from None


async def sent(visit: Visit) -> Sent:
    return await send(visit, "sent")


async def signed_content_type(visit: Visit) -> str:
    done = await visit.once(sent)
    if "content-type" not in done.signed:
        return "never"
    return "guessed" if done.content_type == TYPE and not _known_type(done.made) else "always"


async def signed_acl(visit: Visit) -> str:
    return "always" if "x-amz-acl" in (await visit.once(sent)).signed else "never"


async def part_url_seconds(visit: Visit) -> int:
    return (await visit.once(sent)).valid_seconds


async def part_etag(visit: Visit) -> str:
    etag = (await visit.once(sent)).etag
    if etag is None:
        return "none"
    return "md5" if etag.strip('"') == visit.clip.md5 else "other"


def _known_type(made: Reply) -> bool:
    return made.data.get("media_type") is not None


async def media_type_at(visit: Visit) -> str:
    try:
        made = (await visit.once(sent)).made
    except Unanswered:
        made = (await visit.once(fetched)).made
    return "creation" if _known_type(made) else "upload"


async def long_parts(visit: Visit) -> list[int]:
    """Sizes of the parts of a file of 10 GB, of which not a byte is sent."""
    made = (await reserve(visit, "long", LONG)).expect(201)
    return [int(part["size"]) for part in made.data["upload_urls"]]


async def part_rule(visit: Visit) -> str:
    parts = await visit.once(long_parts)
    return "equal" if max(parts) - min(parts) <= 1 else "fixed"


async def part_bytes(visit: Visit) -> int:
    """Of equal parts only their number is known; that the rule is in whole MiB is likely."""
    parts = await visit.once(long_parts)
    if await part_rule(visit) == "fixed":
        return parts[0]
    whole_mib = -(-parts[0] // MIB) * MIB
    return whole_mib if -(-LONG // whole_mib) == len(parts) else parts[0]


async def duplicate_files(visit: Visit) -> str:
    for once in (_reserved, _requested):
        try:
            return of_second(await once(visit), await once(visit))
        except Unanswered as unanswered:
            failure = unanswered
    raise failure


async def _reserved(visit: Visit) -> Reply:
    return await reserve(visit, "twin", 1)


async def _requested(visit: Visit) -> Reply:
    return (await request_fetch(visit, "twin")).made


async def a_file(visit: Visit, name: str) -> str:
    """The id of a whole file, by whichever way there is."""
    ways: tuple[Callable[[Visit, str], Awaitable[Any]], ...] = (send, fetch_whole)
    for way in ways:
        try:
            return str((await way(visit, name)).made.data["id"])
        except Unanswered as unanswered:
            failure = unanswered
    raise failure


async def transcoded(visit: Visit) -> float | None:
    """Seconds from its being sent to transcoded; None where it is not within the time for it."""
    began = time.monotonic()
    file_id = await a_file(visit, "transcoded")

    async def look() -> float | None:
        told = (await visit.ask(endpoints.FILE, file_id=file_id)).expect(200).data
        return time.monotonic() - began if told.get("status") == "transcoded" else None

    try:
        return await visit.until(look, visit.bounds.slow)
    except Unanswered as unanswered:
        if unanswered.why == "not in time":
            return None
        raise


async def transcodes(visit: Visit) -> bool:
    return await visit.once(transcoded) is not None


async def transcode_seconds(visit: Visit) -> float:
    seconds = await visit.once(transcoded)
    if seconds is None:
        raise Unanswered("not in time")
    return seconds


SLOW = (fetched, given_up, silence, sent, transcoded)


def begin_slow(visit: Visit) -> None:
    """What takes long is under way while the rest is asked."""
    for trial in SLOW:
        visit.begin(trial).add_done_callback(_heed)


def _heed(task: asyncio.Task[Any]) -> None:
    """Whether anybody asks for what came of it is not known yet."""
    if not task.cancelled():
        task.exception()
