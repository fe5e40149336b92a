"""The agent's session with ngrok's service, here imagined, and how ngrok words its refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from postflow.sandbox.faults import Faults

from . import logfmt
from .edge import Edge
from .settings import Settings

UNREACHABLE = "dial tcp: lookup connect.ngrok-agent.com on 127.0.0.53:53: no such host"
TEXTS = {
    102: "Your account has been suspended.",
    105: "The authtoken you specified does not look like a proper ngrok authtoken.\n"
    "Your authtoken: {token}",
    107: "The authtoken you specified is properly formed, but it is invalid.\n"
    "Your authtoken: {token}",
    108: "Your account is limited to 3 simultaneous ngrok agent sessions.",
    121: "Your ngrok-agent version is too old.",
    324: "Your account may not run more than 3 endpoints over a single ngrok agent session.",
    334: "The endpoint '{url}' is already online.",
    725: "The account has exceeded its monthly bandwidth limit.",
    4018: "Usage of ngrok requires a verified account and authtoken.",
}

AT_CONNECT = frozenset({313, 314, 315, 324, 334, 15002, 15013})
AT_EDGE = frozenset({702, 715, 725, 726, 727, 734})


def wording(code: int, *, token: str = "", url: str = "") -> str:
    """The text with its code at the end, as it stands in logs and bodies."""
    text = TEXTS.get(code, "The ngrok service refused.").format(token=token, url=url)
    return f"{text}\r\n\r\nERR_NGROK_{code}\r\n"


def verdict(token: str | None, accepted: str | None) -> int | None:
    """The code that refuses `token`, or None when it is welcome."""
    if not token:
        return 4018
    if accepted is None or token == accepted:
        return None
    well_formed = len(token) >= 20 and token.replace("_", "").isalnum()
    return 107 if well_formed else 105


class Session:
    """Whether the service knows us, and the faults still to come.

    A fault `{"what": …, "requests": N, …}` strikes N times (1 if not said; -1: always).
    """

    def __init__(self, settings: Settings) -> None:
        self.version = settings.version
        self.knows_endpoints = settings.knows_endpoints
        self.domains: Path | None = settings.domains
        self.online = False
        self.faults = Faults()
        for fault in settings.faults:
            self.arm(fault)

    def arm(self, fault: Mapping[str, Any]) -> None:
        options = {k: v for k, v in fault.items() if k not in ("what", "where", "times")}
        requests = int(options.pop("requests", 1))
        self.faults.arm(str(fault["what"]), times=None if requests < 0 else requests, **options)

    @property
    def status(self) -> str:
        """As `/api/status` words it; "reconnecting" is a guess."""
        return "online" if self.online else "reconnecting"

    def free_plan(self) -> bool:
        return any(fault["what"] == "free_plan" for fault in self.faults.armed())

    def edge(self, upstream: str) -> Edge:
        return Edge(
            upstream,
            faults=self.faults,
            online=lambda: self.online,
            free_plan=self.free_plan,
        )

    def refusal(self, codes: frozenset[int]) -> int | None:
        """The code of an armed `agent_refuse`, if it is one of `codes`."""
        for fault in self.faults.armed():
            if fault["what"] == "agent_refuse" and fault.get("code") in codes:
                self.faults.take("agent", "agent_refuse")
                return int(fault["code"])
        return None

    def established(self) -> None:
        self.online = True
        logfmt.info("client session established", obj="tunnels.session")
        logfmt.info("tunnel session started", obj="tunnels.session")

    def lost(self) -> None:
        self.online = False
        logfmt.error("session closed, starting reconnect loop", obj="tunnels.session", err="EOF")

    async def dawdle(self) -> None:
        """Keep back the answer to a POST as long as an armed `connect_delay` says."""
        if fault := self.faults.take("agent", "connect_delay"):
            await asyncio.sleep(float(fault.options.get("seconds", 5)))
