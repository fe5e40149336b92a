"""Writes the script of a studio's life: from a seed alone, so that it can be played again."""

from __future__ import annotations

from random import Random

from postflow.models import FrozenModel
from tests.crash.studio_life.script import (
    Batch,
    ClipName,
    Content,
    Event,
    Export,
    Hour,
    Removal,
    Script,
    Stray,
)
from tests.crash.studio_life.troubles import AGENT_TROUBLES, TROUBLES, deal

FOLDERS = ("", "", "anim", "comp/out", "comp/übergabe")
MISTAKES = ("SQ{0:02}_UNDLM_{1}_v1.mov", "sq{0:02}_{1}_v001.mov", "final_{1}_new.mov", "{1}.mov")
DROPPINGS = (".SQ01_UNDLM_{0:05}_v001.mov", "SQ01_UNDLM_{0:05}_v001.mov.tmp", "~$notes{0}.mov")
CONFLICTED = "SQ01_UNDLM_{0:05}_v001_conflicted (Bob).mov"
UNFINISHED = "SQ98_UNDLM_{0:05}_v001.mov"


class Size(FrozenModel):
    """How much life. `pace`: seconds for each clip of an hour; `troubles` for each hour."""

    days: int = 5
    hours: int = 10
    clips: int = 2000
    pace: float = 1.6
    troubles: int = 2


class Author:
    """Invents; remembers what was exported, so that some of it is exported again or deleted."""

    def __init__(self, seed: int, size: Size) -> None:
        self._luck = Random(seed)
        self._size = size
        self._seed = seed
        self._standing: dict[str, Export] = {}
        self._versions: dict[tuple[int, int], list[int]] = {}
        self._numbers = 0

    def write(self) -> Script:
        size, luck = self._size, self._luck
        hours = size.days * size.hours
        troubles = deal(TROUBLES, hours, size.troubles, luck)
        agents = deal(AGENT_TROUBLES, max(1, hours // 5), 2, luck)
        ngrok_hours = sorted(luck.sample(range(hours), len(agents)))
        through_ngrok = dict(zip(ngrok_hours, agents, strict=True))
        shares = self._share_out(hours)
        days: list[tuple[Hour, ...]] = []
        for day in range(size.days):
            numbers = range(day * size.hours, (day + 1) * size.hours)
            written = [
                self._hour(day, n, shares[n], troubles[n], through_ngrok.get(n)) for n in numbers
            ]
            days.append((*written, self._night(day)))
        return Script(seed=self._seed, days=tuple(days))

    def _share_out(self, hours: int) -> list[int]:
        """The clips of each hour; some hours are busy."""
        weights = [self._luck.choice((1, 2, 2, 3, 6)) for _ in range(hours)]
        shares = [self._size.clips * weight // sum(weights) for weight in weights]
        shares[-1] += self._size.clips - sum(shares)
        return shares

    def _hour(
        self, day: int, number: int, clips: int, troubles: list[Event], agents: list[Event] | None
    ) -> Hour:
        events = [*troubles, *(agents or ()), *self._clips(clips), *self._strays(clips)]
        return Hour(
            name=f"day {day + 1}, {9 + number % self._size.hours} h",
            seconds=max(2.0, clips * self._size.pace),
            manned=True,
            tunnel="loopback" if agents is None else "ngrok",
            idle_timeout=self._luck.choice((0.2, 0.5, 2.0)),
            events=tuple(sorted(events, key=lambda event: event.at)),
        )

    def _night(self, day: int) -> Hour:
        """Nobody is there; a render or two ends all the same."""
        events = [self._again(self._luck.random()) for _ in range(self._luck.randint(0, 2))]
        ordered = tuple(sorted((e for e in events if e), key=lambda event: event.at))
        return Hour(
            name=f"day {day + 1}, night",
            seconds=0.5,
            manned=False,
            idle_timeout=0.2,
            events=ordered,
        )

    def _clips(self, clips: int) -> list[Event]:
        """So many new clips, and re-exports and deletions of old ones besides."""
        luck, events, left = self._luck, list[Event](), clips
        while left > 0:
            at = luck.random()
            if left >= 3 and luck.random() < 0.06:
                together = luck.randint(2, min(5, left))
                events.append(self._batch(at, together))
                left -= together
            else:
                events.append(self._new(at, luck.choice(FOLDERS)))
                left -= 1
            if luck.random() < 0.15 and (again := self._again(luck.random())):
                events.append(again)
            if luck.random() < 0.04 and len(self._standing) > 5:
                relpath = luck.choice(sorted(self._standing))
                del self._standing[relpath]
                events.append(Removal(at=luck.random(), relpath=relpath))
        return events

    def _batch(self, at: float, clips: int) -> Batch:
        self._numbers += 1
        folder = f"renders/{self._numbers:04}"
        return Batch(at=at, exports=tuple(self._new(at, folder) for _ in range(clips)))

    def _new(self, at: float, folder: str) -> Export:
        slow = not folder.startswith("renders") and self._luck.random() < 0.15
        export = Export(
            at=at,
            until=self._luck.uniform(at, 1.0),
            clip=self._name(),
            folder=folder,
            content=self._content(),
            way="slow" if slow else "moved",
        )
        self._standing[export.relpath] = export
        return export

    def _again(self, at: float) -> Export | None:
        """An export under a name that is there already, sometimes of the very same size."""
        if not self._standing:
            return None
        old = self._standing[self._luck.choice(sorted(self._standing))]
        same_size = self._luck.random() < 0.2
        content = self._content(pad=old.content.pad if same_size else None)
        way = self._luck.choice(("moved", "moved", "in place"))
        export = old.model_copy(update={"at": at, "until": 1.0, "content": content, "way": way})
        self._standing[export.relpath] = export
        return export

    def _name(self) -> ClipName:
        """The next version of a shot, one that was left out before, or the first of a new shot."""
        luck = self._luck
        if self._versions and luck.random() < 0.45:
            sequence, shot = luck.choice(sorted(self._versions))
        else:
            self._numbers += 1
            sequence, shot = luck.randint(1, 12), self._numbers
        had = self._versions.setdefault((sequence, shot), [])
        free = [v for v in range(1, max(had, default=0) + 3) if v not in had]
        version = free[0] if luck.random() < 0.8 else luck.choice(free)
        had.append(version)
        return ClipName(sequence=sequence, shot=shot, version=version)

    def _content(self, pad: int | None = None) -> Content:
        self._numbers += 1
        size = 64 + 8 * self._numbers if pad is None else pad
        return Content(salt=self._luck.getrandbits(32), pad=size)

    def _strays(self, clips: int) -> list[Event]:
        """A misnamed file and an unfinished one at least."""
        some = [self._stray(misnamed=self._luck.random() < 0.5) for _ in range(clips // 6)]
        return [self._stray(misnamed=True), self._stray(misnamed=False, name=UNFINISHED), *some]

    def _stray(self, *, misnamed: bool, name: str | None = None) -> Stray:
        luck, at = self._luck, self._luck.random()
        self._numbers += 1
        if misnamed:
            name = luck.choice(MISTAKES).format(luck.randint(1, 12), self._numbers)
            return Stray(at=at, name=name, content=self._content(), misnamed=True)
        name = (name or luck.choice((*DROPPINGS, CONFLICTED, UNFINISHED))).format(self._numbers)
        kept = luck.choice((0.0, 0.4, 0.99)) if name.startswith("SQ98") else 1.0
        return Stray(at=at, name=name, content=self._content(), kept=kept)


def write_script(seed: int, size: Size) -> Script:
    """The same seed and size write the same script."""
    return Author(seed, size).write()
