"""The part store, standing in for S3: presigned PUTs that end up as one file."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from aiohttp import web

from postflow.sandbox.frameio.assets import File, now

from .faults import Fault
from .refusals import Json

if TYPE_CHECKING:
    from .world import World

PUT = "parts.put"
PIECE = 1 << 20
UNKNOWN_TYPE = "application/octet-stream"
STAMP = "%Y%m%dT%H%M%SZ"
REGION = "us-east-1"


class PartError(Exception):
    """A refusal in S3's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> web.Response:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            f"<RequestId>{secrets.token_hex(8).upper()}</RequestId></Error>"
        )
        return web.Response(status=self.status, text=body, content_type="application/xml")


@dataclass
class _Upload:
    """A file whose parts are coming in."""

    file: File
    sizes: list[int]
    arrived: dict[int, Path] = field(default_factory=dict)
    stitching: bool = False

    @property
    def complete(self) -> bool:
        return len(self.arrived) == len(self.sizes) and not self.stitching


class Parts:
    """Presigns parts and takes them in. No call completes an upload: the last part does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = secrets.token_bytes(32)
        self._uploads: dict[str, _Upload] = {}

    def routes(self) -> list[web.RouteDef]:
        return [web.put("/parts/{file_id}/{part}", self.put, name=PUT)]

    def open(self, file: File, sizes: list[int]) -> list[Json]:
        """URLs for the parts of a file, in their order."""
        file.upload_started_at = now()
        self._uploads[file.id] = _Upload(file, sizes)
        return [
            {"size": size, "url": self._presign(file, number)}
            for number, size in enumerate(sizes, 1)
        ]

    def forget(self, file_id: str) -> None:
        upload = self._uploads.pop(file_id, None)
        for path in upload.arrived.values() if upload else ():
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        for file_id in list(self._uploads):
            self.forget(file_id)

    def _presign(self, file: File, number: int) -> str:
        path = f"/parts/{file.id}/part_{number}"
        signed = {"host": self._world.host}
        if self._world.switches.signed_acl == "always":
            signed["x-amz-acl"] = "private"
        if content_type := self._signed_content_type(file):
            signed["content-type"] = content_type
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SANDBOX/{datetime.now(UTC):%Y%m%d}/{REGION}/s3/aws4_request",
            "X-Amz-Date": datetime.now(UTC).strftime(STAMP),
            "X-Amz-Expires": str(self._world.switches.part_url_seconds),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        query["X-Amz-Signature"] = self._signature(path, query, signed)
        return f"{self._world.url}{path}?{urlencode(query)}"

    def _signed_content_type(self, file: File) -> str | None:
        match self._world.switches.signed_content_type:
            case "never":
                return None
            case "guessed":
                return file.guessed_type or UNKNOWN_TYPE
            case "always":
                return file.media_type or UNKNOWN_TYPE

    def _signature(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
        lines = ["PUT", path, urlencode(sorted(query.items()))]
        lines += [f"{name}:{headers[name].strip()}" for name in sorted(headers)]
        return hmac.new(self._key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()

    async def put(self, request: web.Request) -> web.Response:
        try:
            digest = await self._take(request)
        except PartError as error:
            return error.answer()
        return web.Response(headers=self._told(digest))

    async def _take(self, request: web.Request) -> str:
        self._check_signature(request)
        if self._world.faults.take(PUT, "expired"):
            raise PartError(403, "AccessDenied", "Request has expired")
        if request.content_length is None:
            raise PartError(411, "MissingContentLength", "You must provide Content-Length.")
        upload, number = self._upload(request)
        path = self._world.blobs.incoming(f"{upload.file.id}.{number}.{secrets.token_hex(4)}")
        try:
            digest = await self._store(request, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._keep(upload, number, path)
        if upload.complete:
            upload.stitching = True
            self._world.ingestion.spawn(upload.file, self._stitch(upload))
        return digest

    async def _store(self, request: web.Request, path: Path) -> str:
        """The MD5 of what was stored, which `corrupt` makes other than what was sent."""
        faults, digest = self._world.faults, hashlib.md5(usedforsecurity=False)
        is_corrupt = faults.take(PUT, "corrupt") is not None
        with path.open("wb") as sink:
            async for piece in _arriving(request, faults.take(PUT, "cut", "rate")):
                kept = bytes([piece[0] ^ 1]) + piece[1:] if is_corrupt else piece
                is_corrupt = False
                digest.update(kept)
                await asyncio.to_thread(sink.write, kept)
        return digest.hexdigest()

    def _told(self, digest: str) -> dict[str, str]:
        """S3 gives the MD5, but of what is encrypted by KMS something that looks like one."""
        match self._world.switches.part_etag:
            case "none":
                return {}
            case "other":
                kms = {"x-amz-server-side-encryption": "aws:kms"}
                return {"ETag": f'"{hashlib.md5(digest.encode()).hexdigest()}"', **kms}
            case "md5":
                return {"ETag": f'"{digest}"'}

    def _upload(self, request: web.Request) -> tuple[_Upload, int]:
        upload = self._uploads.get(request.match_info["file_id"])
        number = request.match_info["part"].removeprefix("part_")
        if upload is None or not number.isdecimal():
            raise PartError(404, "NoSuchKey", "The specified key does not exist.")
        return upload, int(number)

    def _check_signature(self, request: web.Request) -> None:
        query = dict(request.query)
        given = query.pop("X-Amz-Signature", "")
        names = query.get("X-Amz-SignedHeaders", "").split(";")
        headers = {name: request.headers.get(name, "") for name in names}
        if not hmac.compare_digest(given, self._signature(request.path, query, headers)):
            raise PartError(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
        signed_at = datetime.strptime(query["X-Amz-Date"], STAMP).replace(tzinfo=UTC)
        if time.time() > signed_at.timestamp() + int(query["X-Amz-Expires"]):
            raise PartError(403, "AccessDenied", "Request has expired")

    def _keep(self, upload: _Upload, number: int, path: Path) -> None:
        """A part may come twice; the later one counts, until the file is stitched."""
        late = upload.stitching or upload.file.id not in self._uploads
        unwanted = path if late else upload.arrived.get(number)
        if unwanted is not None:
            unwanted.unlink(missing_ok=True)
        if not late:
            upload.arrived[number] = path

    async def _stitch(self, upload: _Upload) -> None:
        parts = [upload.arrived[number] for number in sorted(upload.arrived)]
        blobs, file = self._world.blobs, upload.file
        await asyncio.sleep(self._world.switches.finish_seconds)
        size, sha256 = await asyncio.to_thread(blobs.stitch, file.id, parts)
        if self._uploads.pop(file.id, None) is None:
            blobs.drop(file.id)
            return
        self._world.ingestion.arrived(file, size, sha256)


async def _arriving(request: web.Request, fault: Fault | None) -> AsyncIterator[bytes]:
    """The body, slowly at `rate`; at `cut` the connection is aborted within it."""
    came, began = 0, time.monotonic()
    async for piece in request.content.iter_chunked(PIECE):
        came += len(piece)
        if fault and fault.what == "rate":
            due = came / float(fault.options.get("bytes_per_second", 1 << 20))
            await asyncio.sleep(max(0.0, began + due - time.monotonic()))
        elif fault and came > int(fault.options.get("after_bytes", 0)):
            if request.transport:
                request.transport.abort()
            raise ConnectionResetError("cut")
        yield piece
