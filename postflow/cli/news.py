"""What `postflow up` says at its terminal: clips whose journey has ended, messages not told."""

from __future__ import annotations

from pydantic import SecretStr
from rich.markup import escape

from postflow.errors import PostFlowError
from postflow.ledger import Clip, Ledger, Phase, Untold
from postflow.service.console import err, out

from .untold import tell_untold

MARKS = {
    Phase.DELIVERED: "[green]✓[/green]",
    Phase.SKIPPED: "[yellow]![/yellow]",
    Phase.FAILED: "[red]✗[/red]",
}


class News:
    """Of one studio. What had ended before the first `tell` is no news."""

    def __init__(self, studio: str, where: SecretStr | None) -> None:
        self._studio = studio
        self._where = where
        self._ledger: Ledger | None = None
        self._last: int | None = None
        self._silent = False
        self._untold: set[tuple[str, str, str | None]] = set()
        self._in_the_way: set[str] = set()

    def tell(self) -> None:
        """Print what is new. A ledger that is away for a while is said once."""
        try:
            self._ledger = self._ledger or Ledger.open(self._where)
            self._last, clips = self._ledger.endings(self._studio, after=self._last)
            untold = self._ledger.untold(self._studio)
            in_the_way = self._ledger.in_the_way(self._studio)
        except PostFlowError as error:
            if error.code == "ledger.replaced":
                self._last = None
            if not self._silent:
                err.print(f"[yellow]![/yellow] {escape(str(error))}")
            self._silent = True
            return
        self._silent = False
        for clip in clips:
            _tell(clip)
        tell_untold(self._new(untold), studio=self._studio)
        for code, reason in in_the_way.items():
            if code not in self._in_the_way:
                told = f"Clips wait, and go by themselves once it is mended: {reason}"
                err.print(f"[yellow]![/yellow] {escape(told)}")
        self._in_the_way = set(in_the_way)

    def _new(self, untold: list[Untold]) -> list[Untold]:
        """Each once, for as long as it is so."""
        told, self._untold = self._untold, {(each.key, each.state, each.code) for each in untold}
        return [each for each in untold if (each.key, each.state, each.code) not in told]

    def close(self) -> None:
        if self._ledger:
            self._ledger.close()


def _tell(clip: Clip) -> None:
    mark = MARKS.get(clip.phase)
    if mark is None:  # it has been taken up again meanwhile
        return
    told = f" {clip.view_url}" if clip.phase is Phase.DELIVERED else f": {clip.reason}"
    when = f"{clip.since.astimezone():%H:%M}"
    out.print(f"{mark} {when} {escape(clip.relpath + told)}")
    if clip.phase is not Phase.DELIVERED:
        out.print(f"        → {clip.hint}", markup=False)
