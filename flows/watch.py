"""The watcher: scans the watch folders for as long as it runs, and calls `ingest` by an event."""

from __future__ import annotations

import logging
from functools import partial

from prefect.context import AsyncClientContext

from postflow.engine.heartbeat import Heartbeat, tell_people
from postflow.engine.presence import presence
from postflow.engine.studio import open_studio
from postflow.errors import PostFlowError
from postflow.folder.notices import Notices, Outage
from postflow.folder.wakeup import Wakeup, wakeup
from postflow.folder.watchers import FolderWatchers, folder_watchers
from postflow.frameio.auth.sign_in import keep_signed_in
from postflow.language import _, told

from .calling import Caller

log = logging.getLogger("postflow.watch")


async def watch(name: str) -> None:
    """Until cancelled. A lost volume stops the scan of its folder, and a person is told."""
    logging.getLogger("postflow").setLevel(logging.INFO)
    async with open_studio(name) as studio:
        notices = Notices(studio.ledger, studio.channel, studio.run_id)
        outage = Outage(partial(tell_people, [studio.settings]))
        caller = Caller(studio)
        heartbeat = Heartbeat(name, studio.settings.ping)
        async with (
            AsyncClientContext.get_or_create(),
            wakeup(*studio.settings.watching.folders) as events,
            folder_watchers(
                studio.ledger, name, studio.settings.watching, wakeup=events
            ) as watchers,
            presence(studio, "watch", watchers),
            keep_signed_in(studio.sign_in, notices.tell),
            heartbeat.telling(studio.settings.discord, studio.settings.get_alarms()),
        ):
            while True:
                silent = _take(watchers, notices, events, heartbeat)
                try:
                    await notices.hand_over()
                    await caller.call(watchers.folders)
                    studio.notify()
                except PostFlowError as error:
                    log.warning("%s", error)
                    silent = error.whole
                await outage.observe(silent)
                await watchers.wait(studio.settings.watching.interval)


def _take(
    watchers: FolderWatchers, notices: Notices, events: Wakeup, heartbeat: Heartbeat
) -> str | None:
    """What the scans came to. Returns why the ledger did not answer, if it did not."""
    for report in watchers.reports():
        heartbeat.beat()
        if notices.take(report):
            events.rearm(report.folder)
    for text in events.news():
        notices.tell(_("A watched folder is looked at by the clock only"), told(text))
    return next((each.alarm for each in watchers.last.values() if each.trouble == "ledger"), None)
