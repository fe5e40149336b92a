"""What `postflow up` prints of its studios while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr
from rich.markup import escape

from postflow.errors import PostFlowError, printable
from postflow.models import Once
from postflow.service.console import err, out

from .unannounced import tell_unannounced

if TYPE_CHECKING:
    from postflow.ledger import Clip, Ledger, MessageState

MARKS = {
    "delivered": "[green]✓[/green]",
    "skipped": "[yellow]![/yellow]",
    "failed": "[red]✗[/red]",
}


class News:
    """What `up` prints of one studio: clips that are delivered, skipped or failed, messages that
    Discord did not get, and what holds clips up. What was so before the first `tell` is no news.
    """

    def __init__(self, studio: str, where: SecretStr | None) -> None:
        self._studio = studio
        self._where = where
        self._ledger: Ledger | None = None
        self._last: int | None = None
        self._faults: Once[str] = Once()
        self._messages: Once[tuple[str, MessageState, str | None]] = Once()
        self._outages: Once[str] = Once()

    def tell(self) -> None:
        """Print what is new. That the ledger is away, and that it is back, is said once."""
        from postflow.ledger import Ledger, outages, queries, unannounced

        try:
            self._ledger = self._ledger or Ledger.open(self._where)
            self._last, clips = queries.endings(self._ledger, self._studio, after=self._last)
            untold = unannounced.current(self._ledger, self._studio)
            held_up = outages.current(self._ledger, self._studio)
            held_up |= {full.code: str(full) for full in self._ledger.without_room()}
        except PostFlowError as error:
            if error.code == "ledger.replaced":
                self._last = None
            if self._faults.begins("ledger"):
                err.print(f"[yellow]![/yellow] {escape(str(error))}")
            return
        if self._faults.ends("ledger"):
            err.print("The ledger answers again.")
        for clip in clips:
            _tell(clip)
        messages = {(each.key, each.state, each.code): each for each in untold}
        new = [messages[each] for each in self._messages.new(messages)]
        tell_unannounced(new, studio=self._studio)
        for code in self._outages.new(held_up):
            text = f"Clips wait, and go by themselves once it is mended: {held_up[code]}"
            err.print(f"[yellow]![/yellow] {escape(text)}")

    def close(self) -> None:
        if self._ledger:
            self._ledger.close()


@contextmanager
def news_of(studio: str, ledger: SecretStr | None) -> Iterator[News]:
    """What becomes of its clips from now on."""
    with closing(News(studio, ledger)) as news:
        news.tell()
        yield news


def _tell(clip: Clip) -> None:
    mark = MARKS.get(clip.phase)
    if mark is None:  # it has been taken up again meanwhile
        return
    outcome = f" {clip.view_url}" if clip.phase == "delivered" else f": {clip.reason}"
    when = f"{clip.since.astimezone():%H:%M}"
    out.print(f"{mark} {when} {escape(printable(clip.relpath + outcome))}")
    if clip.phase != "delivered":
        out.print(f"        → {clip.hint}", markup=False)
