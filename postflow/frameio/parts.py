"""PUTs the parts of a file to the store behind Frame.io, which is S3.

A part's address is presigned: whoever knows it can write the part, so it is a secret. What was
signed is sent, and nothing else; no redirect is followed. As S3's answers are not documented by
Frame.io: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
)
from tenacity.wait import wait_random_exponential

from postflow.errors import Fatal, Refusal, Retry
from postflow.http import proxy_for
from postflow.language import N_
from postflow.models import FrozenModel, UploadPart

from .errors import BUSY

Pieces = Callable[[], Iterator[bytes]]

_DOING = N_("take a part of the file")
_ALWAYS_SENT = {"host", "content-length"}
_ACL = "x-amz-acl"
_ENCRYPTED = "x-amz-server-side-encryption"
_UNKNOWN_TYPE = "application/octet-stream"
_STAMP = "%Y%m%dT%H%M%SZ"
_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_MD5 = re.compile(r'"?([0-9a-f]{32})"?', re.ASCII)
_TRY_AGAIN = {408, 429}
_CUT_SHORT = {"BadDigest", "IncompleteBody", "RequestTimeout"}

UNREACHABLE = Refusal(
    Retry,
    "frameio.unreachable",
    "The store behind Frame.io cannot be reached at {host}.",
    "{remedy}",
)
REFUSED = Refusal(
    Retry,
    "frameio.part_refused",
    "The store behind Frame.io refused a part of the file ({status} {said}).",
    "It is sent again, as a new file. If this repeats, a proxy may change what is sent.",
)
EXPIRED = Refusal(
    Retry,
    "frameio.parts_expired",
    "The addresses that Frame.io gave for the parts of the file have expired.",
    "It is sent again, as a new file. If this repeats, the line is too slow for its size.",
)
ALTERED = Refusal(
    Retry,
    "frameio.part_altered",
    "A part of the file arrived otherwise than it was sent.",
    "It is sent again, as a new file. If this repeats, something between changes what is sent.",
)
UNKNOWN_HEADER = Refusal(
    Fatal,
    "frameio.part_header",
    "The store behind Frame.io wants a header that this PostFlow does not know ({header}).",
    "Please report it. Until then, deliver through a tunnel.",
)


class PartRetries(FrozenModel):
    """Tries of one part, and times in seconds: between two tries, and without anything moving."""

    attempts: int = 6
    backoff: float = 0.5
    longest_backoff: float = 30.0
    silence: float = 60.0


PART_RETRIES = PartRetries()


class Receipt(FrozenModel):
    """What the store said of a part. `is_proven`: it gave the MD5 of what was sent.

    `content_type` is the one that was signed, where one was.
    """

    etag: str | None
    is_proven: bool
    content_type: str


class _Again(Exception):
    """The part may be sent once more. `why` is what to say when it has been too often."""

    def __init__(self, why: Retry) -> None:
        super().__init__(why.code)
        self.why = why


class _OtherwiseSigned(Exception):
    """The headers are not those that were signed."""


class PartStore:
    """Blocks, and is used from several threads at once. `stop`, when set, ends its pauses."""

    def __init__(
        self,
        media_type: str | None,
        guess: str,
        *,
        retries: PartRetries = PART_RETRIES,
        stop: threading.Event | None = None,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        """`media_type` is what Frame.io calls the file, if it says so already; `guess`, by its
        name, and the unknown type may have been signed as well. `closing` is called once nobody
        reads `pieces` any more.
        """
        self._content_types = [media_type] if media_type else [_UNKNOWN_TYPE, guess]
        self._retries = retries
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._users = 0
        self._closing = False
        self._close_source = closing
        self._http: httpx.HTTPTransport | None = None
        self._tells_md5: bool | None = None

    def close(self) -> None:
        """At once, or when the last thread is through: a connection is closed under nobody."""
        self._stop.set()
        with self._in_use():
            self._closing = True

    def put(self, part: UploadPart, pieces: Pieces, *, is_last: bool = False) -> Receipt:
        """Send a part; `pieces` reads it from its start, each time it is called.

        `is_last`: with it the file is complete, so that it cannot be mended any more. Raises Retry
        `frameio.unreachable` or `.busy` when the tries are used up, `.part_refused`,
        `.parts_expired` or `.part_altered` when the file has to be begun anew, Fatal
        `frameio.part_header`, and what `pieces` raises.
        """
        retries = self._retries
        attempts = Retrying(
            stop=stop_after_attempt(retries.attempts) | stop_when_event_set(self._stop),
            wait=wait_random_exponential(retries.backoff, max=retries.longest_backoff),
            retry=retry_if_exception_type(_Again),
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )
        with self._in_use():
            try:
                return attempts(self._put, part, pieces, is_last)
            except _Again as again:
                raise again.why from again.__cause__

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._closing and not self._users:
                    self._close_source()
                    if self._http:
                        self._http.close()

    def _put(self, part: UploadPart, pieces: Pieces, is_last: bool) -> Receipt:
        for content_type in list(self._content_types):
            try:
                receipt = self._send(part, pieces, content_type, is_last)
            except _OtherwiseSigned:
                continue
            except _Again as again:
                if is_last and again.why.code == ALTERED.code:
                    raise again.why from None
                raise
            self._content_types = [content_type]
            return receipt
        raise REFUSED(status=403, said="SignatureDoesNotMatch")

    def _send(self, part: UploadPart, pieces: Pieces, content_type: str, is_last: bool) -> Receipt:
        url = httpx.URL(part.url.get_secret_value())
        leaving = _Leaving(pieces(), is_hashed=is_last or self._tells_md5 is not False)
        request = httpx.Request(
            "PUT",
            url,
            headers=_headers(url, part.size, content_type),
            content=leaving,
            extensions={"timeout": httpx.Timeout(self._retries.silence).as_dict()},
        )
        try:
            answer = self._transport(url).handle_request(request)
            answer.read()
        except httpx.TransportError as error:
            raise _Again(UNREACHABLE(host=url.host, remedy=_way_to_reach(error))) from error
        if not answer.is_success:
            raise _refusal(answer.status_code, answer.content)
        self._hear(told := _md5(answer.headers))
        if leaving.size != part.size or told not in {None, leaving.md5}:
            raise _Again(ALTERED())
        etag = answer.headers.get("etag")
        return Receipt(etag=etag, is_proven=told is not None, content_type=content_type)

    def _hear(self, told: str | None) -> None:
        """A store that tells no MD5 is compared with none, so that none is computed. One that does
        after all gets that part again, hashed, as all others from then on.
        """
        with self._lock:
            if told or self._tells_md5 is None:
                self._tells_md5 = told is not None

    def _transport(self, url: httpx.URL) -> httpx.HTTPTransport:
        with self._lock:
            if self._http is None:
                self._http = httpx.HTTPTransport(proxy=proxy_for(url))
            return self._http


def expires_at(part: UploadPart) -> datetime | None:
    """When its address ceases to be good, where it says so."""
    told = httpx.URL(part.url.get_secret_value()).params
    try:
        signed = datetime.strptime(told["X-Amz-Date"], _STAMP).replace(tzinfo=UTC)
        return signed + timedelta(seconds=int(told["X-Amz-Expires"]))
    except (KeyError, ValueError, OverflowError):
        return None


def _headers(url: httpx.URL, size: int, content_type: str) -> dict[str, str]:
    known = {"content-type": content_type, _ACL: "private"}
    signed = {name for name in url.params.get("X-Amz-SignedHeaders", "").split(";") if name}
    if unknown := signed - known.keys() - _ALWAYS_SENT:
        raise UNKNOWN_HEADER(header=", ".join(sorted(unknown))[:100])
    headers = {name: value for name, value in known.items() if name in signed}
    return {"host": url.netloc.decode("ascii"), "content-length": str(size), **headers}


class _Leaving:
    """The bytes of a part on their way out, counted, and hashed where that is of use."""

    def __init__(self, pieces: Iterator[bytes], *, is_hashed: bool) -> None:
        self._pieces = pieces
        self._digest = hashlib.md5(usedforsecurity=False) if is_hashed else None
        self.size = 0

    @property
    def md5(self) -> str:
        return self._digest.hexdigest() if self._digest else "not computed"

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if self._digest:
                self._digest.update(piece)
            self.size += len(piece)
            yield piece  # here bytes leave


def _way_to_reach(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ProxyError):
        return N_("The proxy does not let it through: check HTTPS_PROXY, password included.")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return N_("Its certificate is not trusted here: SSL_CERT_FILE names who signed it.")
    return N_(
        "It is another host than Frame.io's: network, proxy and firewall have to let it pass."
    )


def _md5(headers: httpx.Headers) -> str | None:
    """An ETag looks like an MD5, and is none, where KMS or a key of the client's encrypts:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html.
    """
    is_other = headers.get(_ENCRYPTED, "").startswith("aws:kms")
    is_other |= f"{_ENCRYPTED}-customer-algorithm" in headers
    found = _MD5.fullmatch(headers.get("etag", ""))
    return found[1] if found and not is_other else None


def _refusal(status: int, body: bytes) -> Exception:
    """The store's own words stay here: they hold parts of the signature."""
    found = _CODE.search(body)
    code = found[1].decode() if found else ""
    if status >= 500 or status in _TRY_AGAIN or code in _CUT_SHORT:
        return _Again(BUSY(doing=_DOING))
    if code == "SignatureDoesNotMatch":
        return _OtherwiseSigned()
    if status == httpx.codes.FORBIDDEN and b"expired" in body:
        return EXPIRED()
    return REFUSED(status=status, said=code)
