"""How Frame.io fetches a clip from the witness."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median

from postflow.frameio import endpoints

from .visit import INVALID, Answers, Reply, Unanswered, Visit
from .witness import Answer, Seen, Source, failing, huge, moved, silent, unsized

# Above the one reading of 50 GB and below the other; above both.
READINGS = {51 * 10**9: 50 * 10**9, 54 * 10**9: 50 << 30}
BREAKING_OFF = ("ranges", "abort_and_resume")
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
    def since_last_request(self) -> float:
        return self.ended - self.source.seen[-1].at


async def request_fetch(visit: Visit, name: str, answer: Answer | None = None) -> Fetch:
    source, url = visit.offer(answer) if answer else visit.offer()
    data = visit.named(name, source_url=url.get_secret_value())
    began = time.monotonic()
    made = await visit.ask(endpoints.REMOTE_UPLOAD, data, folder_id=visit.folder_id)
    return Fetch(source, made, began)


async def fetch(visit: Visit, name: str, answer: Answer | None = None) -> Fetch:
    """Asked for, and over: `state` is then complete or failed."""
    asked = await request_fetch(visit, name, answer)
    state = await visit.arrival(asked.made.expect(201, 202).data["id"])
    return Fetch(asked.source, asked.made, asked.asked, state, time.monotonic())


async def fetch_whole(visit: Visit, name: str) -> Fetch:
    done = await fetch(visit, name)
    if done.state == "failed" or not done.source.gets():
        raise Unanswered("another answer")
    return done


async def fetched(visit: Visit) -> Answers:
    """Of a program's name, what stands in brackets, addresses above all, is left out."""
    done = await fetch_whole(visit, "fetched")
    seen = done.source.seen
    requests = seen[1:] if done.probed else seen
    said = re.sub(r"\(.*?\)", "", seen[-1].user_agent)
    return {
        "probe": seen[0].method.lower() if done.probed else "none",
        "fetch_style": _style(requests),
        "fetch_user_agent": " ".join(AGENT.findall(said)[:3]),
        "fetch_delay": requests[0].at - done.asked,
        "finish_seconds": done.since_last_request,
        "media_type_at": done.made.media_type_at,
    }


def _style(requests: list[Seen]) -> str:
    """A clip so small may be fetched otherwise than a large one."""
    gets = [each for each in requests if each.method == "GET"]
    if gets[0].range:
        return "ranges"
    if any(each.range for each in gets):
        return "abort_and_resume"
    return "head_then_get" if requests[0].method == "HEAD" else "get"


async def given_up(visit: Visit) -> Answers:
    done = await fetch(visit, "given_up", failing)
    if done.state != "failed":
        raise Unanswered("another answer")
    probe = (await visit.once(fetched))["probe"]
    tries = done.source.gets()[1 if probe == "get" else 0 :]
    pauses = [later.at - one.at for one, later in pairwise(tries)]
    known: Answers = {"fetch_attempts": len(tries), "fail_seconds": done.since_last_request}
    return {**known, "fetch_pause": median(pauses)} if pauses else known


async def fetch_idle_timeout(visit: Visit) -> float:
    """Of the first request that was left without an end, once it is hung up, by whom that is no
    habit.
    """
    if (await visit.once(fetched))["fetch_style"] in BREAKING_OFF:
        raise Unanswered("not told apart")
    asked = await request_fetch(visit, "silent", silent)
    asked.made.expect(201, 202)

    async def look() -> Seen | None:
        return next((get for get in asked.source.gets() if get.ended), None)

    seen = await visit.until(look, visit.bounds.slow)
    return seen.ended - seen.at


async def redirects(visit: Visit) -> str:
    target, _ = visit.offer()
    done = await fetch(visit, "redirected", moved(target))
    return "followed" if done.state == "complete" and target.seen else "refused"


async def without_length(visit: Visit) -> str:
    return "taken" if (await fetch(visit, "unsized", unsized)).state == "complete" else "refused"


async def sizes(visit: Visit) -> Answers:
    """The smallest size that is refused at once, of two."""
    for size, limit in READINGS.items():
        asked = await request_fetch(visit, f"of_{size}", partial(huge, size=size))
        if asked.made.expect(201, 202, 413, *INVALID).status > 202:
            return {"too_big": "refuse", "size_limit": limit}
        await visit.ask(endpoints.DELETE_FILE, file_id=asked.made.data["id"])
    return {"too_big": "fail"}
