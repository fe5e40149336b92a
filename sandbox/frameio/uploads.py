"""The two ways in: remote_upload, where Frame.io fetches, and local_upload, where parts are PUT."""

from __future__ import annotations

import math
import mimetypes
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from postflow.sandbox.refusals import Complaint, Json, Refusal, invalid

from . import shapes
from .assets import File, Folder, Name, settled_name
from .endpoints import Body, Call, Table
from .folders import FOLDER

uploads = Table()

LARGEST = 5 * 10**12
MOST_PARTS = 10_000

mimetypes.add_type("application/mxf", ".mxf")
mimetypes.add_type("video/quicktime", ".mov")


class RemoteUpload(Body):
    name: Name
    source_url: str


class LocalUpload(Body):
    name: Name
    file_size: Annotated[int, Field(ge=1, le=LARGEST)]


@uploads.write("files.remote_upload", "POST", f"{FOLDER}/files/remote_upload", RemoteUpload)
async def remote_upload(call: Call, data: RemoteUpload) -> Json:
    folder = call.folder
    if urlsplit(data.source_url).scheme not in ("http", "https"):
        raise invalid("/data/source_url", "Invalid URL")
    size = await call.world.ingestion.probe(data.source_url)
    file = _placeholder(call, folder, data.name, size or 0)
    doomed = call.world.faults.take("files.remote_upload", "upload_failed") is not None
    call.world.ingestion.start(file, data.source_url, doomed=doomed)
    status = f"/v4/accounts/{call.ids['account_id']}/files/{file.id}/status"
    return {"data": shapes.asset(call.world, file), "links": {"status": status}}


@uploads.write("files.local_upload", "POST", f"{FOLDER}/files/local_upload", LocalUpload)
async def local_upload(call: Call, data: LocalUpload) -> Json:
    file = _placeholder(call, call.folder, data.name, data.file_size)
    switches = call.world.switches
    sizes = part_sizes(data.file_size, switches.part_bytes, switches.part_rule)
    urls = call.world.parts.open(file, sizes)
    shape = shapes.asset(call.world, file)
    return {"data": shape | {"upload_urls": urls}}


def part_sizes(file_size: int, largest: int, rule: str = "equal") -> list[int]:
    """Equal parts but for a byte, the longer ones first: 50,645,990 gives …997, …997, …996.

    By the rule `fixed` all but the last are as large as may be.
    """
    full = max(largest, math.ceil(file_size / MOST_PARTS))
    count = math.ceil(file_size / full)
    if rule == "fixed":
        return [full] * (count - 1) + [file_size - full * (count - 1)]
    size, longer = divmod(file_size, count)
    return [size + 1] * longer + [size] * (count - longer)


def _placeholder(call: Call, folder: Folder, name: str, size: int) -> File:
    limit = call.world.switches.storage_limit
    if limit and call.world.stored_bytes() + max(size, 1) > limit:
        raise Refusal(403, Complaint("Storage limit exceeded"))
    guess = mimetypes.guess_type(name)[0]
    known = call.world.switches.media_type_at == "creation"
    file = File(
        name=settled_name(call.world, folder, name, File),
        project_id=folder.project_id,
        parent_id=folder.id,
        creator_id=call.user.id,
        file_size=size,
        guessed_type=guess,
        media_type=guess if known else None,
    )
    call.world.tree.add(file)
    call.world.tell("file.created", file.id, file.project_id, call.user)
    return file
