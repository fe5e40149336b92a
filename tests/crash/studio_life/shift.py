"""Who keeps PostFlow running: one `ingest` after the other, some of them killed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import psutil

from tests.crash.agents import agents
from tests.crash.ground import Ground
from tests.crash.killing import Death
from tests.crash.lives import Life
from tests.crash.studio_life.silence import Silences

PAUSE = 0.3
LONGEST_END = 120.0


class Shift:
    """`failed` are the logs of lives that ended in an error of their own."""

    def __init__(self, ground: Ground, silences: Silences) -> None:
        self._ground = ground
        self._silences = silences
        self._lives: list[Life] = []
        self._stopped: dict[int, float] = {}
        self._next = 0.0
        self._due: list[str] = []
        self._dooms: list[Death] = []
        self.counts: Counter[str] = Counter()
        self.failed: list[str] = []

    def order(self, kind: str) -> None:
        """Strike at the next moment at which there is something to strike at."""
        self._due.append(kind)

    def doom(self, death: Death) -> None:
        """One of the next lives ends so."""
        self._dooms.append(death)

    def look(self, *, manned: bool, idle_timeout: float) -> None:
        """Take note of lives that ended, start the next one, do what is due."""
        self._lives = [life for life in self._lives if not self._is_over(life)]
        if manned and not self._lives and time.monotonic() >= self._next:
            self.begin(idle_timeout)
        self._due = [kind for kind in self._due if not self._strike(kind, idle_timeout)]

    def spare(self) -> None:
        """Nothing happens any more to those who are not dead yet."""
        self._due.clear()
        self._dooms.clear()

    async def end(self) -> None:
        """Everybody goes home: every life is stopped, and gone."""
        self._due.clear()
        for life in self._lives:
            self._stop(life)
        deadline = time.monotonic() + LONGEST_END
        while self._lives:
            assert time.monotonic() < deadline, self._lives[0].order.log.read_text()
            self.look(manned=False, idle_timeout=0)
            await asyncio.sleep(0.02)

    @property
    def is_empty(self) -> bool:
        return not self._lives

    def begin(self, idle_timeout: float) -> None:
        death = self._dooms.pop(0) if self._dooms else None
        self._lives.append(self._ground.start(death, idle_timeout=idle_timeout))
        self.counts["runs"] += 1

    def _is_over(self, life: Life) -> bool:
        code = life.code_if_over()
        if code is None:
            return False
        self._next = time.monotonic() + PAUSE
        if life.pid in self._stopped:
            self._cut_short(life)
        elif code == -signal.SIGKILL and life.order.death.at:
            self._cut_short(life)
            self.counts[f"died {life.order.death}"] += 1
        elif code:
            self.failed.append(life.order.log.read_text())
        return True

    def _strike(self, kind: str, idle_timeout: float) -> bool:
        if kind == "second run":
            self.begin(idle_timeout)
        elif kind == "kill agents":
            return self._kill_agents()
        elif not self._lives:
            return False
        elif kind == "kill":
            self._kill(self._lives.pop(0))
        else:
            self._stop(self._lives[0])
        self.counts[kind] += 1
        return True

    def _kill_agents(self) -> bool:
        found = agents(self._ground.state)
        for agent in found:
            try:
                agent.kill()
            except psutil.NoSuchProcess:
                continue
            self.counts["kill agents"] += 1
        return bool(found)

    def _kill(self, life: Life) -> None:
        life.kill()
        life.code()
        self._cut_short(life)
        self._next = time.monotonic() + PAUSE

    def _cut_short(self, life: Life) -> None:
        """What it did after its last commit, nobody knows; its end may be noticed late."""
        heard = life.order.witness.stat().st_mtime
        self._silences.run_cut_short(since=min(heard, self._stopped.pop(life.pid, heard)))

    def _stop(self, life: Life) -> None:
        self._stopped.setdefault(life.pid, time.time())
        life.stop()
