"""The project that clips go to, chosen from what is there, with the right to write in it; and how
they get there: directly, or through ngrok, whose token is tried.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import NamedTuple

from postflow.blocks.tunnel import Tunnel
from postflow.errors import Fatal
from postflow.frameio import FrameioClient
from postflow.language import N_, told
from postflow.models import Project
from postflow.outlet import Outlet
from postflow.service.check import reachable
from postflow.service.console import waiting

from .adobe import frameio_of
from .draft import ASIDE, Draft
from .prompts import Desk, not_empty

NONE = Fatal(
    N_("The signed-in person sees no project in Frame.io."),
    hint=N_("Make one in Frame.io, or have somebody invite you to one."),
    code="frameio.no_project",
)


class FoundProject(NamedTuple):
    account: str
    workspace: str
    project: Project


def take_project(desk: Desk) -> None:
    with waiting(N_("Asking Frame.io for its projects")):
        found = desk.run(_all_projects(desk.draft))
    if not found:
        raise NONE
    one = _chosen(desk, found)
    with waiting(N_("Trying to make a folder")):
        desk.run(_try_to_write(desk.draft, one.project))
    desk.draft.put("frameio", **_fields(one, found))
    desk.draft.put(ASIDE, project=one.project.name)
    goes = N_("Clips go to {project}: a folder could be made, and was removed.")
    desk.proven(N_(goes, project=_label(one, found)))


def project_said(draft: Draft) -> str | None:
    known = draft.get("frameio", "project")
    return str(draft.get(ASIDE, "project") or known) if known else None


async def _all_projects(draft: Draft) -> list[FoundProject]:
    async with frameio_of(draft) as frameio:
        return [
            one
            for account in await frameio.accounts.all()
            for one in await _in_account(frameio, account.id, account.name)
        ]


async def _in_account(frameio: FrameioClient, account_id: str, name: str) -> list[FoundProject]:
    rooms = {room.id: room.name for room in await frameio.accounts.workspaces(account_id)}
    projects = await frameio.projects.all(account_id)
    return [FoundProject(name, rooms.get(each.workspace_id, ""), each) for each in projects]


def _chosen(desk: Desk, found: list[FoundProject]) -> FoundProject:
    if len(found) == 1:
        return found[0]
    by_id = {one.project.id: one for one in found}
    options = sorted(
        ((id_, _label(one, found)) for id_, one in by_id.items()),
        key=lambda each: each[1].casefold(),
    )
    return by_id[desk.ask.choose(N_("Which project do clips go to?"), options)]


def _label(one: FoundProject, found: list[FoundProject]) -> str:
    """What they all have in common is left out."""
    said = [one.project.name]
    if len({(each.account, each.workspace) for each in found}) > 1:
        said.insert(0, one.workspace)
    if len({each.account for each in found}) > 1:
        said.insert(0, one.account)
    return " / ".join(said)


def _fields(one: FoundProject, found: list[FoundProject]) -> dict[str, str]:
    """By name, which a person can read, where that says which one is meant."""
    same = Counter(each.project.name for each in found)[one.project.name]
    return {"project": one.project.name if same == 1 else one.project.id}


async def _try_to_write(draft: Draft, project: Project) -> None:
    async with frameio_of(draft) as frameio:
        await frameio.projects.show(project.account_id, project.id)
        async with frameio.folder_of_our_own(project):
            pass


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
        token = desk.ask.secret(N_("ngrok authtoken:"), judge=not_empty)
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
