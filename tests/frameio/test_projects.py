"""Finding accounts, workspaces and projects."""

from __future__ import annotations

import pytest

from postflow.errors import Fatal
from postflow.frameio import FrameioClient
from postflow.models import Project
from postflow.sandbox import Sandbox
from tests.frameio.connecting import raw


async def another_project(world: Sandbox, name: str) -> str:
    path = f"/v4/accounts/{world.account_id}/workspaces/{world.workspace_id}/projects"
    return str((await raw(world, "POST", path, {"name": name}))["id"])


async def test_who_is_signed_in_and_what_they_see(world: Sandbox, client: FrameioClient) -> None:
    assert "@" in (await client.accounts.me()).email
    assert [account.id for account in await client.accounts.all()] == [world.account_id]
    workspaces = await client.accounts.workspaces(world.account_id)
    assert [workspace.id for workspace in workspaces] == [world.workspace_id]


async def test_a_project_is_found_by_id_and_by_name(
    client: FrameioClient, project: Project
) -> None:
    assert await client.projects.show(project.account_id, project.id) == project
    for wanted in (project.id, project.name):
        assert await client.projects.find(wanted) == project
        assert await client.projects.find(wanted, project.account_id) == project
        found = await client.projects.find(wanted, project.account_id, project.workspace_id)
        assert found == project


async def test_account_and_workspace_may_be_given_by_name(
    world: Sandbox, client: FrameioClient, project: Project
) -> None:
    [account] = await client.accounts.all()
    [workspace] = await client.accounts.workspaces(world.account_id)
    assert await client.projects.find(project.name, account.name, workspace.name) == project


async def test_all_pages_of_projects_are_read(world: Sandbox, client: FrameioClient) -> None:
    for number in range(4):
        await another_project(world, f"Show {number}")
    assert len(await client.projects.all(world.account_id)) == 5


async def test_an_unknown_project_names_those_that_are_near(
    world: Sandbox, client: FrameioClient
) -> None:
    for name in ("Nightfall", "nightfall_2", "Daybreak", "Other", "Another"):
        await another_project(world, name)
    with pytest.raises(Fatal) as raised:
        await client.projects.find("nightfal")
    assert raised.value.code == "frameio.project_unknown"
    assert "“Nightfall”" in raised.value.hint
    assert "Daybreak" not in raised.value.hint


async def test_case_matters_and_the_other_case_is_named(client: FrameioClient) -> None:
    with pytest.raises(Fatal, match="“UNDLM”"):
        await client.projects.find("undlm")


async def test_two_projects_of_one_name_are_told_apart_by_id(
    world: Sandbox, client: FrameioClient
) -> None:
    ids = [await another_project(world, "Twin") for _ in range(2)]
    with pytest.raises(Fatal) as raised:
        await client.projects.find("Twin")
    assert raised.value.code == "frameio.project_ambiguous"
    assert all(project_id in raised.value.message for project_id in ids)
    assert (await client.projects.find(ids[1])).id == ids[1]


@pytest.mark.parametrize(
    ("account", "workspace", "code"),
    [("nobody's", None, "frameio.account_unknown"), (None, "w", "frameio.workspace_unknown")],
)
async def test_an_unknown_account_or_workspace_is_named(
    client: FrameioClient, account: str | None, workspace: str | None, code: str
) -> None:
    with pytest.raises(Fatal) as raised:
        await client.projects.find("UNDLM", account, workspace)
    assert raised.value.code == code


async def test_a_name_in_another_unicode_form_is_the_same_name(
    world: Sandbox, client: FrameioClient
) -> None:
    project_id = await another_project(world, "E\u0301te\u0301")
    assert (await client.projects.find("\u00c9t\u00e9")).id == project_id
