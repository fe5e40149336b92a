"""How Frame.io takes a clip in parts, and what is signed with them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx

from postflow.frameio import endpoints
from postflow.http import proxy_for

from .fetching import arrival
from .visit import Reply, Unanswered, Visit
from .witness import TYPE

UNKNOWN_TYPE = "application/octet-stream"
MIB = 1 << 20
LONG = 10**10


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
        request = httpx.Request("PUT", url, content=visit.clip.body, headers=headers)
        request.extensions["timeout"] = httpx.Timeout(visit.bounds.question).as_dict()
        # a client of httpx logs the address
        async with httpx.AsyncHTTPTransport(proxy=proxy_for(request.url)) as store:
            answer = await store.handle_async_request(request)
            await answer.aread()
        return answer
    except (httpx.HTTPError, httpx.InvalidURL):  # its text may hold the address
        raise Unanswered("no answer") from None


async def sent(visit: Visit) -> Sent:
    return await send(visit, "sent")


async def signed_content_type(visit: Visit) -> str:
    done = await visit.once(sent)
    if "content-type" not in done.signed:
        return "never"
    return "guessed" if done.content_type == TYPE and not knows_type(done.made) else "always"


async def signed_acl(visit: Visit) -> str:
    return "always" if "x-amz-acl" in (await visit.once(sent)).signed else "never"


async def part_url_seconds(visit: Visit) -> int:
    return (await visit.once(sent)).valid_seconds


async def part_etag(visit: Visit) -> str:
    etag = (await visit.once(sent)).etag
    if etag is None:
        return "none"
    return "md5" if etag.strip('"') == visit.clip.md5 else "other"


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


def knows_type(made: Reply) -> bool:
    return made.data.get("media_type") is not None
