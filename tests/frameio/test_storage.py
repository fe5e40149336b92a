"""An account whose storage is full is called so, in whatever words Frame.io says it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from postflow.errors import Fatal
from postflow.frameio import FrameioClient
from postflow.models import Folder, Project
from postflow.sandbox import Sandbox

FULL: list[tuple[int, Any]] = [
    (402, {"errors": [{"detail": "Storage limit exceeded"}]}),
    (402, {"message": "Your plan is out of storage. Upgrade to add more."}),
    (403, {"errors": [{"detail": "Forbidden", "title": "Account storage is full"}]}),
    (403, {"errors": [{"detail": "You have reached your storage quota"}]}),
    (409, {"errors": [{"detail": "There is not enough space left in this account"}]}),
    (422, {"errors": [{"detail": "insufficient storage", "source": {"pointer": "/data"}}]}),
    (422, {"error": "storage_limit_exceeded"}),
]
SOMETHING_ELSE: list[tuple[int, Any, str]] = [
    (402, {"errors": [{"detail": "Payment required"}]}, "frameio.refused"),
    (403, {"errors": [{"detail": "Forbidden"}]}, "frameio.forbidden"),
    (403, {"errors": [{"detail": "No access to this workspace"}]}, "frameio.forbidden"),
    (403, {"errors": [{"detail": "Storage Connect is not enabled"}]}, "frameio.forbidden"),
    (404, {"errors": [{"detail": "No storage left"}]}, "frameio.not_found"),
    (422, {"errors": [{"detail": "String length is larger than maxLength"}]}, "frameio.refused"),
]
FULL_CODE = "frameio.storage_full"
TWO_GB = 2 * 10**9


async def refusal(client: FrameioClient, folder: Folder) -> Fatal:
    url = SecretStr("http://127.0.0.1:9/a.mov")
    with pytest.raises(Fatal) as raised:
        await client.files.remote_upload(folder, "a.mov", url, known=frozenset())
    return raised.value


@pytest.fixture
async def folder(client: FrameioClient, project: Project) -> Folder:
    return await client.folders.ensure(project, ())


@pytest.mark.parametrize(("status", "body"), FULL)
async def test_a_full_account_is_told_with_what_is_used_of_it(
    world: Sandbox, client: FrameioClient, folder: Folder, status: int, body: Any
) -> None:
    home = {"id": world.account_id, "display_name": "Studio", "storage_usage": TWO_GB}
    page = {"data": [home | {"storage_limit": TWO_GB}], "links": {"next": None}}
    world.fault("status", "accounts.list", code=200, body=page)
    world.fault("status", "files.remote_upload", code=status, body=body)
    told = await refusal(client, folder)
    assert told.code == FULL_CODE
    assert "is full" in told.message
    assert "“Studio”: 2.0 GB of 2.0 GB used." in told.message
    assert "buy more storage" in told.hint


@pytest.mark.parametrize(("status", "body", "code"), SOMETHING_ELSE)
async def test_other_refusals_are_not_taken_for_it(
    world: Sandbox, client: FrameioClient, folder: Folder, status: int, body: Any, code: str
) -> None:
    world.fault("status", "files.remote_upload", code=status, body=body)
    assert (await refusal(client, folder)).code == code


async def test_that_the_numbers_cannot_be_had_hides_nothing(
    world: Sandbox, client: FrameioClient, folder: Folder
) -> None:
    world.fault("status", "accounts.list", code=403)
    world.fault("status", "files.remote_upload", code=402, body=FULL[0][1])
    assert (await refusal(client, folder)).code == FULL_CODE
