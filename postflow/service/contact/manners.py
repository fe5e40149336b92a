"""How Frame.io takes calls: what it reads in a query, which names it bears, what a share needs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from postflow.frameio import endpoints
from postflow.frameio.endpoints import FOLDER_PAGE, MINUTE, Endpoint

from .visit import INVALID, Reply, Unanswered, Visit

AUDIT_LOG = Endpoint(
    "GET", "/v4/accounts/{account_id}/audit_logs", "show the audit log", page=endpoints.PAGE
)
TWINS = "contact twin"
ODD = 'contact a/b\\c:d*e?f"g<h>i|j'
MOST_IN_A_SHARE = 100
# Of documented milliseconds, seconds would be a thousandth.
MUCH_SHORTER = 100


async def offline_access(visit: Visit) -> bool:
    if visit.renews is None:
        raise Unanswered("nothing to ask")
    return visit.renews


async def rate_window(visit: Visit) -> str:
    """Documented are 100 calls in 60,000 ms."""
    told = (await visit.ask(endpoints.ME)).headers.get("x-ratelimit-window", "")
    try:
        return "ms" if float(told) > MINUTE * 1000 / MUCH_SHORTER else "s"
    except ValueError:
        return "absent"


async def strict_query(visit: Visit) -> bool:
    return await _is_refused(visit, postflow=1)


async def include_list(visit: Visit) -> str:
    return "refused" if await _is_refused(visit, include="creator,project") else "commas"


async def _is_refused(visit: Visit, **query: str | int) -> bool:
    asked = await visit.ask(endpoints.FOLDER, query=query, folder_id=visit.folder_id)
    return asked.expect(200, *INVALID).status in INVALID


async def type_list(visit: Visit) -> str:
    asked = await _children(visit, type="file,version_stack")
    return "refused" if asked.status in INVALID else "commas"


async def page_sizes(visit: Visit) -> str:
    await visit.once(two_folders)
    if (await _children(visit, page_size=FOLDER_PAGE)).status in INVALID:
        return "hundred"
    single = (await _children(visit, page_size=1)).expect(200)
    return "documented" if len(single.data) == 1 else "ignored"


async def _children(visit: Visit, **query: str | int) -> Reply:
    asked = await visit.ask(endpoints.CHILDREN, query=query, folder_id=visit.folder_id)
    return asked.expect(200, *INVALID)


async def audit_log(visit: Visit) -> str:
    asked = await visit.ask(AUDIT_LOG, query={"page_size": 1})
    return "readable" if asked.expect(200, 402, 403, 404).status == 200 else "forbidden"


async def two_folders(visit: Visit) -> tuple[Reply, Reply]:
    """Two folders of one name, made one after the other."""
    return await _new_folder(visit, TWINS), await _new_folder(visit, TWINS)


async def duplicate_folders(visit: Visit) -> str:
    first, second = await visit.once(two_folders)
    return of_second(first.expect(201), second)


def of_second(first: Reply, second: Reply) -> str:
    """What the second thing of a name meets."""
    if second.status in (409, *INVALID):
        return "refuse"
    second.expect(201, 202)
    return "allow" if second.data["name"] == first.data["name"] else "rename"


async def odd_names(visit: Visit) -> str:
    made = await _new_folder(visit, ODD)
    if made.expect(201, *INVALID).status in INVALID:
        return "refuse"
    return "keep" if made.data["name"] == ODD else "replace"


async def _new_folder(visit: Visit, name: str) -> Reply:
    return await visit.ask(endpoints.CREATE_FOLDER, {"name": name}, folder_id=visit.folder_id)


async def new_share(visit: Visit) -> tuple[str, Reply]:
    """The least with which a public share of an empty folder is made, and the share."""
    asset = (await visit.once(two_folders))[0].expect(201).data["id"]
    passphrase, ends = secrets.token_urlsafe(12), datetime.now(UTC) + timedelta(days=1)
    ways: dict[str, dict[str, Any]] = {
        "open": {},
        "passphrase": {"passphrase": passphrase},
        "expiration": {"expiration": ends.isoformat()},
    }
    refused = 0
    for way, terms in ways.items():
        made = await _share(visit, [asset], **terms)
        if made.status == 201:
            return way, made
        refused = refused or made.expect(*INVALID, 402, 403).status
    if refused in INVALID:
        raise Unanswered("another answer", refused)
    return "forbidden", made


async def share_policy(visit: Visit) -> str:
    return (await visit.once(new_share))[0]


async def share_passphrase(visit: Visit) -> str:
    _, made = await visit.once(new_share)
    return "required" if made.expect(201).data.get("passphrase") else "optional"


async def share_again(visit: Visit) -> str:
    _, made = await visit.once(new_share)
    first, _ = await visit.once(two_folders)
    added = await visit.ask(
        endpoints.ADD_SHARED_ASSET,
        {"asset_id": first.data["id"]},
        share_id=made.expect(201).data["id"],
    )
    return "ignore" if added.expect(200, 201, 409, *INVALID).status < 300 else "refuse"


async def share_assets(visit: Visit) -> str:
    """A hundred ids that nobody has: refused for their number, or for not being there."""
    terms = {
        "passphrase": secrets.token_urlsafe(12),
        "expiration": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    many = await _share(visit, _nobodys(MOST_IN_A_SHARE), **terms)
    if many.expect(201, 404, *INVALID).status not in INVALID:
        return "hundred"
    one = await _share(visit, _nobodys(1), **terms)
    if one.status in INVALID:
        raise Unanswered("not told apart", one.status)
    return "ten"


def _nobodys(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


async def _share(visit: Visit, asset_ids: list[str], **terms: Any) -> Reply:
    least = {"type": "asset", "access": "public", "name": visit.name, "asset_ids": asset_ids}
    return await visit.ask(endpoints.CREATE_SHARE, {**least, **terms})
