"""me, accounts, workspaces and projects."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from postflow.sandbox.refusals import Json, Refusal

from . import shapes
from .endpoints import Body, Call, Table
from .queries import page
from .studio import Project

places = Table()

ACCOUNT = "/v4/accounts/{account_id}"
WORKSPACE = ACCOUNT + "/workspaces/{workspace_id}"
PROJECT = ACCOUNT + "/projects/{project_id}"


class NewProject(Body):
    name: Annotated[str, Field(min_length=1, max_length=255)]
    restricted: bool | None = None


@places.read("me", "/v4/me")
async def me(call: Call) -> Json:
    profile = shapes.user(call.user)
    return {"data": {key: profile[key] for key in ("id", "name", "email", "avatar_url")}}


@places.read("accounts.list", "/v4/accounts")
async def list_accounts(call: Call) -> Json:
    world = call.world
    return page([world.studio.account], call.asked, call.path, lambda _: shapes.account(world))


@places.read("audit_logs.list", f"{ACCOUNT}/audit_logs")
async def list_audit_log(call: Call) -> Json:
    """Nothing is told in it: only who may read it."""
    if call.world.switches.audit_log == "forbidden":
        raise Refusal(403)
    return page([], call.asked, call.path, lambda _: {})


@places.read("workspaces.list", f"{ACCOUNT}/workspaces")
async def list_workspaces(call: Call) -> Json:
    return page(
        [call.world.studio.workspace],
        call.asked,
        call.path,
        lambda it: shapes.workspace(call.world, it, call.asked.include),
    )


@places.read("workspaces.show", WORKSPACE)
async def show_workspace(call: Call) -> Json:
    workspace = call.world.studio.workspace
    return {"data": shapes.workspace(call.world, workspace, call.asked.include)}


@places.read("projects.list", f"{WORKSPACE}/projects")
async def list_projects(call: Call) -> Json:
    projects = list(call.world.studio.projects.values())
    return page(projects, call.asked, call.path, lambda it: _shape(call, it))


@places.read("projects.list", f"{ACCOUNT}/projects")
async def list_account_projects(call: Call) -> Json:
    return await list_projects(call)


@places.write("projects.create", "POST", f"{WORKSPACE}/projects", NewProject)
async def create_project(call: Call, data: NewProject) -> Json:
    project = call.world.studio.open_project(call.world.tree, data.name, call.user)
    project.restricted = bool(data.restricted)
    call.world.tell("project.created", project.id, project.id, call.user)
    return {"data": _shape(call, project)}


@places.read("projects.show", PROJECT)
async def show_project(call: Call) -> Json:
    return {"data": _shape(call, call.project)}


def _shape(call: Call, project: Project) -> Json:
    return shapes.project(call.world, project, call.asked.include)
