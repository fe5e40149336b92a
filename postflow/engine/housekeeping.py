"""What a run of `ingest` puts in order before it delivers."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from prefect.settings import get_current_settings

from postflow.delivery.unfinished import remove_unfinished
from postflow.folder.notices import Notices
from postflow.frameio.auth import sign_in
from postflow.language import counted
from postflow.ledger import leases, queries
from postflow.media import picture
from postflow.outlet.ngrok.folder import reap
from postflow.state import is_due, lock_dir, state_dir, sweep

from .stage import KEEP, RESULTS
from .studio import OpenStudio

log = logging.getLogger("postflow.ingest")

# What a run that goes on just now may still want to read.
MARGIN = timedelta(days=5)


async def clean_up(studio: OpenStudio) -> None:
    """Take up the clips of runs that died, renew the sign-in, end the ngrok agents that were left
    behind, and once a day remove what has outlived its use.
    """
    recovered = await studio.ledger.run(leases.recover)
    if recovered.clip_ids:
        many = len(recovered.clip_ids)
        verb = "is" if many == 1 else "are"
        log.info("%s of runs that died %s taken up again.", counted(many, "clip"), verb)
    await _keep_signed_in(studio)
    await remove_unfinished(studio.ledger, studio.frameio, studio.name)
    await asyncio.to_thread(reap, state_dir())
    try:
        if await asyncio.to_thread(is_due, state_dir() / "swept"):
            await asyncio.to_thread(_sweep, await studio.ledger.run(queries.revisions))
    except OSError as error:
        log.warning("What has outlived its use stays for now: %s", error)


async def _keep_signed_in(studio: OpenStudio) -> None:
    """Renew the sign-in when it is due, as `watch` does, which need not run."""
    why = await sign_in.renew_if_due(studio.sign_in)
    if why is None:
        return
    log.warning("%s", why)
    if why.code == "adobe.sign_in_ends":
        notices = Notices(studio.ledger, studio.channel, studio.run_id)
        notices.tell(*sign_in.notice_of(why))
        await notices.hand_over()


def _sweep(revisions: set[str]) -> None:
    """Prefect never removes results that have expired, filelock no locks. Pictures go with the
    rows of their clips.
    """
    results = get_current_settings().results.local_storage_path
    removed = sweep(results.glob(f"{RESULTS}*"), older=KEEP + MARGIN)
    # Taking a lock dates it anew; `up` takes its own once.
    locks = (each for each in lock_dir().glob("*.lock") if each.name != "up.lock")
    removed += sweep(locks, older=MARGIN)
    removed += picture.forget_all_but(revisions, older=MARGIN)
    if removed:
        log.info("Results, locks and pictures of long ago that were removed: %d.", removed)
