"""What becomes of a file that is sent in parts, of its twin, and of a version stack."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from typing import TypeVar

import httpx

from postflow.errors import PostFlowError
from postflow.frameio import endpoints
from postflow.frameio.endpoints import Endpoint
from postflow.frameio.models import WirePlaceholder
from postflow.frameio.parts import PartRetries, PartStore
from postflow.media.volume import ask

from .fetching import fetch_whole, fetched, request_fetch
from .manners import of_second
from .visit import Answers, Reply, Unanswered, Visit
from .witness import TYPE

T = TypeVar("T")
RENAME_FILE = Endpoint("PATCH", "/v4/accounts/{account_id}/files/{file_id}", "rename the file")
RENAMED = "contact_renamed.mov"
MIB = 1 << 20
LONG = 10**10


async def first_of(*ways: Callable[[], Awaitable[T]]) -> T:
    """What the first way that there is leads to."""
    for way in ways:
        try:
            return await way()
        except (Unanswered, PostFlowError) as unanswered:
            failure = unanswered
    raise failure


async def reserve(visit: Visit, name: str, size: int) -> Reply:
    """A place for a file whose bytes are to be sent, with the addresses of its parts."""
    data = visit.named(name, file_size=size)
    return await visit.ask(endpoints.LOCAL_UPLOAD, data, folder_id=visit.folder_id)


async def send(visit: Visit, name: str) -> tuple[str, Answers]:
    """The id of the clip, which is one part, and what its address says that is signed."""
    made = (await reserve(visit, name, len(visit.body))).expect(201)
    placeholder = WirePlaceholder.model_validate(made.data)
    once = PartRetries(attempts=1, silence=visit.bounds.question)
    with closing(PartStore(placeholder.media_type, TYPE, retries=once)) as store:
        put = partial(store.put, placeholder.parts[0], lambda: iter([visit.body]))
        receipt = await ask(put)
    if await visit.arrival(placeholder.id) == "failed":
        raise Unanswered("another answer")
    query = httpx.URL(placeholder.parts[0].url.get_secret_value()).params
    signed = query.get("X-Amz-SignedHeaders", "").split(";")
    is_guess = receipt.content_type == TYPE and placeholder.media_type is None
    told = "other" if receipt.etag else "none"
    return placeholder.id, {
        "signed_content_type": "never"
        if "content-type" not in signed
        else "guessed"
        if is_guess
        else "always",
        "signed_acl": "always" if "x-amz-acl" in signed else "never",
        "part_url_seconds": int(query.get("X-Amz-Expires", 0)),
        "part_etag": "md5" if receipt.is_proven else told,
        "media_type_at": made.media_type_at,
    }


async def sent(visit: Visit) -> Answers:
    return (await send(visit, "sent"))[1]


async def long_parts(visit: Visit) -> Answers:
    """Of a file of 10 GB, of which not a byte is sent.

    Of equal parts only their number is known; that the rule is in whole MiB is likely.
    """
    made = (await reserve(visit, "long", LONG)).expect(201)
    parts = [int(part["size"]) for part in made.data["upload_urls"]]
    if max(parts) - min(parts) > 1:
        return {"part_rule": "fixed", "part_bytes": parts[0]}
    whole_mib = -(-parts[0] // MIB) * MIB
    fits = -(-LONG // whole_mib) == len(parts)
    return {"part_rule": "equal", "part_bytes": whole_mib if fits else parts[0]}


async def media_type_at(visit: Visit) -> object:
    made = await first_of(partial(visit.once, sent), partial(visit.once, fetched))
    return made["media_type_at"]


async def duplicate_files(visit: Visit) -> str:
    async def twins(make: Callable[[], Awaitable[Reply]]) -> str:
        return of_second(await make(), await make())

    async def requested() -> Reply:
        return (await request_fetch(visit, "twin")).made

    return await first_of(
        partial(twins, partial(reserve, visit, "twin", 1)), partial(twins, requested)
    )


async def a_file(visit: Visit, name: str) -> str:
    """The id of a whole file, by whichever way there is."""

    async def by_sending() -> str:
        return (await send(visit, name))[0]

    async def by_fetching() -> str:
        return str((await fetch_whole(visit, name)).made.data["id"])

    return await first_of(by_sending, by_fetching)


async def transcoded(visit: Visit) -> Answers:
    """Where it is not within the time for it, it is taken for never."""
    began = time.monotonic()
    file_id = await a_file(visit, "transcoded")

    async def look() -> float | None:
        told = (await visit.ask(endpoints.FILE, file_id=file_id)).expect(200).data
        return time.monotonic() - began if told.get("status") == "transcoded" else None

    try:
        seconds = await visit.until(look, visit.bounds.slow)
    except Unanswered as unanswered:
        if unanswered.why == "not in time":
            return {"transcodes": False}
        raise
    return {"transcodes": True, "transcode_seconds": seconds}


async def stack_story(visit: Visit) -> Answers:
    """Its name after its newest version was renamed, and after another was put on; whether it is
    there with one version left.
    """
    first, second, third = [await a_file(visit, f"v00{number}") for number in (1, 2, 3)]
    made = await visit.ask(
        endpoints.CREATE_STACK, {"file_ids": [first, second]}, folder_id=visit.folder_id
    )
    stack_id = made.expect(201).data["id"]

    async def name() -> str:
        shown = await visit.ask(endpoints.STACK, stack_id=stack_id)
        return str(shown.expect(200).data["name"])

    (await visit.ask(RENAME_FILE, {"name": RENAMED}, file_id=second)).expect(200)
    is_head = await name() == RENAMED
    await _move(visit, third, stack_id)
    grown = "arrival" if (await name()).startswith("contact_v003") else "creation"
    for version in (third, second):
        await _move(visit, version, visit.folder_id)
    left = (await visit.ask(endpoints.STACK, stack_id=stack_id)).expect(200, 404)
    return {
        "stack_name": "head" if is_head else grown,
        "stack_of_one": "keep" if left.status == 200 else "dissolve",
    }


async def _move(visit: Visit, file_id: str, parent_id: str) -> None:
    moved = await visit.ask(endpoints.MOVE_FILE, {"parent_id": parent_id}, file_id=file_id)
    moved.expect(200)
