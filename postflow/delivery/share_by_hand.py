"""One share link of clips that a person names, each by its latest version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import xxhash

from postflow.errors import Fatal, PostFlowError, Refusal, Skip
from postflow.frameio import FrameioClient
from postflow.ledger import AsyncLedger, ShareWork, shares
from postflow.ledger.shared_clips import DeliveredClip
from postflow.models import MOST_ASSETS
from postflow.naming import Naming
from postflow.settings import Sharing

from .sharing import LinkMaker, share_name

GONE = Refusal(
    Skip,
    "share.gone",
    "Some of these clips are no longer in Frame.io.",
    "`postflow retry NAME` delivers one once more.",
)


def choose(
    naming: Naming, clips: Sequence[DeliveredClip], names: Sequence[str]
) -> list[DeliveredClip]:
    """The latest version of each clip that goes by one of these names: a file's, a version stack's,
    a shot's or a sequence's. Raises Skip `share.unknown`, Fatal `share.too_many`, `share.projects`.
    """
    latest: dict[tuple[str, str], DeliveredClip] = {}
    for name in names:
        found = [clip for clip in clips if name.casefold() in _names_of(naming, clip)]
        if not found:
            raise Skip(
                "No delivered clip, shot or sequence is called {name}.",
                hint="`postflow history` lists what was delivered.",
                code="share.unknown",
                name=name,
            )
        for clip in found:
            place = (clip.folder_id, clip.stack)
            latest[place] = max(latest.get(place, clip), clip, key=lambda it: it.rank)
    _check(list(latest.values()))
    return list(latest.values())


def _check(chosen: Sequence[DeliveredClip]) -> None:
    if len({clip.asset_id for clip in chosen}) > MOST_ASSETS:
        raise Fatal(
            "A share link holds {most} clips at most, and these are {many}.",
            hint="Make several links.",
            code="share.too_many",
            most=MOST_ASSETS,
            many=len(chosen),
        )
    if len({clip.project_id for clip in chosen}) > 1:
        raise Fatal(
            "These clips are in several Frame.io projects, and a share link is of one.",
            hint="Make a link for each project.",
            code="share.projects",
        )


def _names_of(naming: Naming, clip: DeliveredClip) -> set[str]:
    return {name.casefold() for name in _names(naming, clip) if name}


def _names(naming: Naming, clip: DeliveredClip) -> Iterator[str | None]:
    yield from (clip.name, clip.name.rpartition(".")[0], clip.relpath, clip.stack)
    with suppress(PostFlowError):
        shot = naming.identify(clip.name)
        yield from (shot.sequence, shot.shot)
        yield f"{shot.project_code}_{shot.shot}" if shot.project_code and shot.shot else None


async def share_by_hand(
    ledger: AsyncLedger,
    frameio: FrameioClient,
    sharing: Sharing,
    chosen: Sequence[DeliveredClip],
    *,
    studio: str,
    run_id: str,
    names: Sequence[str],
) -> tuple[ShareWork, shares.Made, PostFlowError | None]:
    """The link, and why its reviewers may not have been invited. The run's lease has to last.

    The same command again looks for what became of one whose answer was lost.
    """
    troubles: list[PostFlowError] = []

    async def not_invited(_: ShareWork, error: PostFlowError) -> None:
        troubles.append(error)

    first = chosen[0]
    project = await frameio.projects.show(first.account_id, first.project_id)
    maker = LinkMaker(ledger, frameio, sharing, not_invited=not_invited)
    assets = list(dict.fromkeys(clip.asset_id for clip in chosen))
    work = await ledger.run(
        shares.begin_by_hand,
        run_id,
        studio,
        subject=f"by hand {subject_of(assets, sharing)}",
        name=share_name(project.name, ", ".join(names)),
        project=(first.account_id, first.project_id),
        asset_ids=assets,
        terms=maker.terms(await ledger.now()),
    )
    try:
        if (made := await maker.carry_out(work)) is None:
            raise GONE()
    except (Fatal, Skip):
        await ledger.run(shares.over, work)
        raise
    return work, made, troubles[0] if troubles else None


def subject_of(assets: Sequence[str], sharing: Sharing) -> str:
    """Equal for equal commands only: another passphrase is another link."""
    secret = sharing.passphrase.get_secret_value() if sharing.passphrase else ""
    return xxhash.xxh3_64_hexdigest("\0".join([*sorted(assets), repr(sharing), secret]).encode())
