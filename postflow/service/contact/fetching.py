"""How Frame.io fetches a clip from the witness."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from postflow.frameio import endpoints

from .manners import INVALID
from .visit import Reply, Unanswered, Visit
from .witness import Answer, Seen, Source, failing, moved, said_to_be, silent, unsized

GB_50, GIB_50 = 50 * 10**9, 50 << 30
# Above the one reading of 50 GB and below the other; above both.
ABOVE_GB, ABOVE_GIB = 51 * 10**9, 54 * 10**9
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
