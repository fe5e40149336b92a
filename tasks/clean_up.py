"""What an ingest run puts in order before it begins."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from prefect.settings import get_current_settings

from postflow.blocks.opening import OpenStudio
from postflow.discord.cards import counted
from postflow.folder.notices import Notices
from postflow.frameio.auth import sign_in
from postflow.outlet.ngrok.folder import reap
from postflow.state import is_due, lock_dir, state_dir, sweep

from .stage import KEEP, RESULTS

log = logging.getLogger("postflow.ingest")

# What a run that goes on just now may still want to read.
MARGIN = timedelta(days=5)


async def clean_up(live: OpenStudio) -> None:
    """Take up the clips of runs that died, renew the sign-in, end the ngrok agents that were left
    behind, and once a day remove what has outlived its use.
    """
    recovered = await live.ledger.recover()
    if recovered.clip_ids:
        many = len(recovered.clip_ids)
        verb = "is" if many == 1 else "are"
        log.info("%s of runs that died %s taken up again.", counted(many, "clip"), verb)
    await _keep_signed_in(live)
    await asyncio.to_thread(reap, state_dir())
    try:
        await asyncio.to_thread(_sweep)
    except OSError as error:
        log.warning("What has outlived its use stays for now: %s", error)


async def _keep_signed_in(live: OpenStudio) -> None:
    """As the look-out does, which need not run. That it fails, the clips that wait for it tell."""
    why = await sign_in.look(live.sign_in)
    if why is None:
        return
    log.warning("%s", why)
    if why.code == "adobe.sign_in_ends":
        notices = Notices(live.ledger, live.channel if live.discord else None, live.run_id)
        notices.tell(*sign_in.told(why))
        await notices.hand_over()


def _sweep() -> None:
    """Prefect never removes results that have expired, and filelock no locks."""
    if is_due(state_dir() / "swept"):
        results = get_current_settings().results.local_storage_path
        removed = sweep(results.glob(f"{RESULTS}*"), older=KEEP + MARGIN)
        # Taking a lock dates it anew; `up` takes its own once.
        locks = (each for each in lock_dir().glob("*.lock") if each.name != "up.lock")
        removed += sweep(locks, older=MARGIN)
        log.info("Results and locks of long ago that were removed: %d.", removed)
