"""Bodies with files: multipart, what becomes of a message's attachments, and where they are shown.

https://discord.com/developers/docs/reference#uploading-files
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import BodyPartReader, web

from .forms import INVALID_FORM, Json, MessageForm, Refusal

MOST_ATTACHMENTS = 10
BAD_JSON = 50109
TOO_LARGE = 40005
TOO_MANY = 30015

_FILE = re.compile(r"files\[([0-9]{1,9})\]")
_ATTACHED = "attachment://"
_SLOTS = ("image", "thumbnail")


class Upload(NamedTuple):
    """One file of a request."""

    filename: str
    content_type: str
    data: bytes


class Body(NamedTuple):
    """The JSON of a request, and its files by their number."""

    json: Any
    files: dict[int, Upload]


async def read_body(request: web.Request, limit: int) -> Body:
    """Of JSON, or of multipart with `payload_json` and `files[n]`. Raises Refusal.

    `limit`: bytes that a file may have.
    """
    if request.content_type != "multipart/form-data":
        return Body(_parsed(await request.read()), {})
    said: Any = {}
    files: dict[int, Upload] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, INVALID_FORM, "Invalid Form Body")
        if part.name == "payload_json":
            said = _parsed(await part.read())
        elif number := _FILE.fullmatch(part.name or ""):
            _add(files, int(number[1]), await _read(part, limit))
    return Body(said, files)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refusal(400, BAD_JSON, "The request body contains invalid JSON.") from error


async def _read(part: BodyPartReader, limit: int) -> Upload:
    data = bytes(await part.read())
    if len(data) > limit:
        raise Refusal(413, TOO_LARGE, "Request entity too large")
    if not part.filename:
        raise _invalid("files", "BASE_TYPE_REQUIRED", "This field is required")
    return Upload(part.filename, part.headers.get("Content-Type", ""), data)


def _add(files: dict[int, Upload], number: int, upload: Upload) -> None:
    if number in files:
        raise _invalid("files", "BASE_TYPE_BAD_TYPE", f"files[{number}] is there twice")
    files[number] = upload


class Attachments:
    """The files of all messages, kept as a content delivery network would."""

    def __init__(self, new_id: Callable[[], str], *, strict: bool) -> None:
        """`strict`: an embed that shows a file which is not attached is refused, not bare."""
        self._new_id = new_id
        self._strict = strict
        self.data: dict[str, Upload] = {}

    def settle(self, message: Json, form: MessageForm, body: Body, origin: str) -> None:
        """The message's attachments after a post or an edit, and its embeds' pictures resolved.

        Raises Refusal before anything is kept.
        """
        kept, chosen = self._chosen(message["attachments"], form, body)
        if len(kept) + len(chosen) > MOST_ATTACHMENTS:
            said = f"Maximum number of attachments in a message reached ({MOST_ATTACHMENTS})"
            raise Refusal(400, TOO_MANY, said)
        names = {each["filename"] for each in kept} | {each.filename for each in chosen}
        self._check_shown(message, names)
        message["attachments"] = [*kept, *(self._keep(each, origin) for each in chosen)]
        _resolve(message)

    def _chosen(
        self, before: list[Json], form: MessageForm, body: Body
    ) -> tuple[list[Json], list[Upload]]:
        """What stays, and what is new. A list of attachments names everything that is to be there
        afterwards; without one, what was there stays and every file is added.
        """
        if form.attachments is None:
            return before, list(body.files.values())
        known = {each["id"]: each for each in before}
        kept: list[Json] = []
        new: list[Upload] = []
        for place, wanted in enumerate(form.attachments):
            if str(wanted.id) in known:
                kept.append(known[str(wanted.id)])
            elif int(wanted.id) in body.files:
                upload = body.files[int(wanted.id)]
                new.append(upload._replace(filename=wanted.filename or upload.filename))
            else:
                said = "An attachment of this id is neither there nor in the request."
                raise _invalid("attachments", "ATTACHMENT_NOT_FOUND", said, str(place))
        return kept, new

    def _check_shown(self, message: Json, names: set[str]) -> None:
        for place, embed in enumerate(message["embeds"]):
            for slot in _SLOTS:
                url = embed.get(slot, {}).get("url", "")
                if not url.startswith(_ATTACHED) or url.removeprefix(_ATTACHED) in names:
                    continue
                if self._strict:
                    said = "The attachment that the embed shows is not in the request."
                    raise _invalid("embeds", "ATTACHMENT_NOT_FOUND", said, str(place), slot)
                del embed[slot]

    def _keep(self, upload: Upload, origin: str) -> Json:
        attachment_id = self._new_id()
        self.data[attachment_id] = upload
        return {
            "id": attachment_id,
            "filename": upload.filename,
            "size": len(upload.data),
            "content_type": upload.content_type,
            "url": f"{origin}/attachments/{attachment_id}/{upload.filename}",
        }


def outside(message: Json) -> list[Json]:
    """The attachments that no embed shows: Discord lists, and shows, only those."""
    shown = {embed.get(slot, {}).get("url") for embed in message["embeds"] for slot in _SLOTS}
    return [each for each in message["attachments"] if each["url"] not in shown]


def _resolve(message: Json) -> None:
    """An embed of a message that is read shows an address of the network's."""
    urls = {_ATTACHED + each["filename"]: each["url"] for each in message["attachments"]}
    for embed in message["embeds"]:
        for slot in _SLOTS:
            if embed.get(slot, {}).get("url") in urls:
                embed[slot] = {"url": urls[embed[slot]["url"]]}


def _invalid(field: str, code: str, said: str, *deeper: str) -> Refusal:
    tree: Json = {"_errors": [{"code": code, "message": said}]}
    for step in reversed((field, *deeper)):
        tree = {step: tree}
    return Refusal(400, INVALID_FORM, "Invalid Form Body", errors=tree)
