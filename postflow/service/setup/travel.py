"""How clips get to Frame.io: directly, or through ngrok, whose token is tried."""

from __future__ import annotations

import os

from postflow.blocks.tunnel import Tunnel
from postflow.language import N_, told
from postflow.outlet import Outlet
from postflow.service.check import reachable
from postflow.service.console import waiting

from .draft import ASIDE, Draft
from .prompts import Desk, something

WAYS = (
    ("direct", N_("Directly: outgoing HTTPS is all it takes, and it costs nothing")),
    ("ngrok", N_("Through ngrok: Frame.io fetches them here. A paid plan, and next to no CPU")),
)


def take_way(desk: Desk) -> None:
    draft = desk.draft
    way = desk.ask.choose(N_("How do clips travel?"), WAYS, draft.get(ASIDE, "way") or "direct")
    if way == "direct":
        draft.drop("tunnel")
        draft.put(ASIDE, way=way)
        return
    token = None
    if not os.environ.get("NGROK_AUTHTOKEN"):
        desk.explain(N_("Your token is at https://dashboard.ngrok.com/get-started/your-authtoken"))
        token = desk.ask.secret(N_("ngrok authtoken:"), judge=something)
    kept = draft.tables.get("tunnel", {})
    tunnel = Tunnel(**{**kept, "provider": "ngrok", "authtoken": token})
    with waiting(N_("Opening a tunnel, and fetching a small file through it")):
        said = desk.run(reachable(Outlet(tunnel.get_client(), port=tunnel.port)))
    draft.put("tunnel", provider="ngrok", authtoken=token)
    draft.put(ASIDE, way=way)
    desk.proven(said if isinstance(said, str) else " ".join(map(told, said)))


def way_said(draft: Draft) -> str | None:
    way = draft.get(ASIDE, "way")
    return told(dict(WAYS)[way]).partition(":")[0].strip() if way in dict(WAYS) else None
