"""Stage: the file is fetched, and proven to be whole."""

from __future__ import annotations

import logging

from postflow.delivery import arrival
from postflow.discord.cards import notice_card
from postflow.discord.relay import draft
from postflow.engine.artifacts import Progress
from postflow.engine.stage import stage
from postflow.engine.studio import OpenStudio
from postflow.errors import PostFlowError, Retry
from postflow.models import Exposure, MediaFile, RemoteFile

log = logging.getLogger("postflow.transfer")


@stage("await arrival", retries=0)
async def await_arrival(
    live: OpenStudio, media: MediaFile, exposure: Exposure, remote: RemoteFile
) -> RemoteFile:
    """The file as Frame.io has it, once complete, of equal size, every byte served."""
    return await arrival.await_arrival(
        live.frameio,
        live.outlet,
        media,
        exposure,
        remote,
        patience=live.patience,
        progress=Progress(media, also=live.progress),
        late=lambda why: _tell_late(live, media, why),
    )


async def _tell_late(live: OpenStudio, media: MediaFile, why: Retry | None) -> None:
    """Once for all clips of this run that wait for the same."""
    told = why.message if why else "Frame.io has every byte and does not finish."
    log.warning("%s has left, and is not seen to arrive: %s", media.name, told)
    if live.discord is None:
        return
    text = f"Clips have left this machine half an hour ago and are not seen to arrive. {told} "
    text += "They are looked for all the while; see https://status.frame.io."
    key = f"{live.channel}/late-{live.run_id}-{why.code if why else 'unfinished'}"
    try:
        await live.ledger.enqueue(draft(key, live.channel, notice_card("Clips arrive late", text)))
    except PostFlowError as error:
        log.warning("%s", error)
    live.ring()
