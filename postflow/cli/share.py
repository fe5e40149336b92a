"""`postflow share`: a link for people who are no members; and who looked at a clip by one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from pydantic import SecretStr

from postflow.errors import PostFlowError
from postflow.service.console import err, out, print_json, tell_warning

from .app import JsonOption, StudioOption, app, prepared_studio, run

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio
    from postflow.ledger import Clip, Ledger, ShareWork
    from postflow.ledger.shares import Made
    from postflow.settings import Sharing

Names = Annotated[
    list[str], typer.Argument(help="Files, version stacks, shots or sequences.", metavar="SHOT")
]
DID = {
    "share_viewed": "opened the link",
    "asset_viewed": "looked at the clip",
    "asset_downloaded": "downloaded the clip",
    "comment_created": "commented",
}


@app.command()
def share(
    shots: Names,
    expires: Annotated[int | None, typer.Option(help="Days until it opens no more.", min=1)] = None,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase, without showing it.")
    ] = False,
    downloads: Annotated[
        bool, typer.Option("--downloads", help="The clips may be downloaded.")
    ] = False,
    studio: StudioOption = None,
    json: JsonOption = False,
) -> None:
    """Make one share link of delivered clips, each by its latest version, and print it."""
    block = prepared_studio(studio)
    studio = block.document_name
    changes: dict[str, Any] = {"expiry": expires, "downloads": downloads or None}
    changes["passphrase"] = _ask_for_passphrase() if passphrase else None
    sharing = _sharing(block, {name: value for name, value in changes.items() if value is not None})
    work, made, not_invited = run(_share(block, studio, shots, sharing))
    if not_invited:
        tell_warning(not_invited)
    if json:
        print_json(_as_json(work, made))
        return
    err.print(f"{work.name}, until {made.expires_at:%Y-%m-%d}:", markup=False)
    out.print(made.url.get_secret_value(), markup=False)
    if made.passphrase:
        err.print("Frame.io made up a passphrase for it:")
        out.print(made.passphrase.get_secret_value(), markup=False)


def _ask_for_passphrase() -> SecretStr:
    if not sys.stdin.isatty():
        return SecretStr(sys.stdin.readline().rstrip("\r\n"))
    return SecretStr(
        typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    )


def _sharing(block: Studio, changes: dict[str, Any]) -> Sharing:
    from postflow.settings import Sharing

    standing = block.frameio.share or Sharing(per="batch")
    return Sharing.model_validate({**dict(standing), **changes})


async def _share(
    block: Studio, studio: str, names: Sequence[str], sharing: Sharing
) -> tuple[ShareWork, Made, PostFlowError | None]:
    from postflow.delivery.share_by_hand import choose, share_by_hand
    from postflow.ledger import open_ledger, shared_clips
    from postflow.ledger.leases import hold_lease

    run_id = uuid4().hex
    async with (
        open_ledger(block.ledger) as ledger,
        hold_lease(ledger, run_id),
        block.frameio.get_client() as frameio,
    ):
        clips = await ledger.run(shared_clips.delivered, studio)
        chosen = choose(block.get_naming(), clips, names)
        return await share_by_hand(
            ledger, frameio, sharing, chosen, studio=studio, run_id=run_id, names=names
        )


def _as_json(work: ShareWork, made: Made) -> dict[str, Any]:
    word = made.passphrase
    return {
        "name": work.name,
        "url": made.url.get_secret_value(),
        "expires_at": made.expires_at and made.expires_at.isoformat(),
        "passphrase": word and word.get_secret_value(),
    }


def who_looked(block: Studio, ledger: Ledger, clips: Sequence[Clip]) -> list[dict[str, str]]:
    """What was done with these clips by their share links, in order; warns of what is not known."""
    try:
        return asyncio.run(_who_looked(block, ledger, clips))
    except PostFlowError as error:
        tell_warning(error)
        return []


async def _who_looked(block: Studio, ledger: Ledger, clips: Sequence[Clip]) -> list[dict[str, str]]:
    from postflow.ledger import shared_clips

    seen: dict[tuple[str, ...], dict[str, str]] = {}
    async with block.frameio.get_client() as frameio:
        for clip in clips:
            links, ids = shared_clips.links_of_clip(ledger, clip.id)
            for link in links:
                if await frameio.shares.show(link.account_id, link.share_id) is None:
                    continue
                for each in await frameio.shares.activities(link.account_id, link.share_id):
                    if each.asset_id is None or each.asset_id in ids:
                        who = (each.user.email or each.user.name) if each.user else ""
                        told = {"at": each.inserted_at.isoformat(), "link": link.name}
                        told |= {"who": who or "somebody", "did": each.type}
                        seen[tuple(told.values())] = told
    return sorted(seen.values(), key=lambda it: it["at"])


def tell_who_looked(found: Sequence[dict[str, str]]) -> None:
    for each in found:
        at, did = each["at"][:16].replace("T", " "), DID.get(each["did"], each["did"])
        out.print(f"  {at}  {each['who']} {did} ({each['link']})", markup=False)
    if not found:
        out.print("  Nobody has looked at it by a share link.", markup=False)
