"""One account's rate for all: who calls Frame.io as the same user keeps to a part of its rates."""

from __future__ import annotations

import asyncio
import logging
from typing import NoReturn

from postflow.errors import PostFlowError
from postflow.frameio import FrameioClient
from postflow.ledger import AsyncLedger, leases

log = logging.getLogger(__name__)

# Seconds between two looks at our own calls and at the others, so that who begins is soon heard of;
# and after which a silent process leaves its part to them.
PULSE = 1.0
SILENCE = 30.0


async def keep_common_rate(
    ledger: AsyncLedger, run_id: str, frameio: FrameioClient, user: str
) -> NoReturn:
    """Until cancelled, each of so many callers takes its part of each rate.

    They are those of one ledger: whom it does not know is met by slowing down at a 429. Writes only
    where we begin or cease to call.
    """
    was_calling = False
    while True:
        calls = frameio.pacing.idle < SILENCE
        if calls or was_calling:
            try:
                sharers = await ledger.run(leases.note_caller, run_id, user if calls else None)
            except PostFlowError as error:
                log.debug("Who else calls Frame.io could not be asked: %s", error)
            else:
                frameio.pacing.sharers, was_calling = sharers, calls
        await asyncio.sleep(PULSE)
