"""Probes an exposed file from outside, before anybody is given its URL."""

from __future__ import annotations

import httpx
from pydantic import SecretStr
from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_exponential

from postflow.errors import Retry
from postflow.http import certificates, proxy_for
from postflow.language import N_
from postflow.outlet.ngrok.errors import REFUSALS, code_in, refused

# Only ngrok's edge can send this header, so it tells an answer of ngrok's own from one of ours.
EDGE_HEADER = "ngrok-error-code"
FREE_PLAN_PAGE = 6024
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PLAIN = "PostFlow-probe"
ANSWER_SECONDS = 10.0


async def probe(url: SecretStr, size: int, *, timeout: float = 20.0) -> str | None:
    """Ask for the file's head through its public address until it is right: 200, `size` bytes.

    A new address may take seconds to spread, so a wrong answer is accepted for `timeout`
    seconds. Returns what a person should know although the file can be fetched, if anything.
    Raises Retry `tunnel.unreachable`, `tunnel.status`, `tunnel.size`, and Retry or Fatal
    `tunnel.ngrok.<code>`.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Retry),
        wait=wait_exponential(multiplier=0.1, max=2),
        stop=stop_before_delay(timeout),
        reraise=True,
    )
    proxy = proxy_for(httpx.URL(url.get_secret_value()))
    # a client logs the address
    async with httpx.AsyncHTTPTransport(verify=certificates(), proxy=proxy) as client:
        await retrying(_check, client, url, size)
        headers = (await _head(client, url, BROWSER)).headers
    if _edge_code(headers) == FREE_PLAN_PAGE:
        refusal = REFUSALS[FREE_PLAN_PAGE]
        says = N_("{message} It does so for browsers only. {hint}")
        return N_(says, message=refusal.message, hint=refusal.hint)
    return None


async def _check(client: httpx.AsyncHTTPTransport, url: SecretStr, size: int) -> None:
    answer = await _head(client, url, PLAIN)
    if (code := _edge_code(answer.headers)) is not None:
        raise refused(code)
    if (status := answer.status_code) != 200:
        raise Retry(
            "The public address answers with status {status} where the file should be.",
            hint="Check that the public address leads to PostFlow's media server.",
            code="tunnel.status",
            status=status,
        )
    length = answer.headers.get("Content-Length")
    if length != str(size):
        raise Retry(
            "The public address announces {length} bytes; the file has {size}.",
            hint="Check that no proxy on the way alters or compresses what it passes on.",
            code="tunnel.size",
            length=length or N_("no"),
            size=size,
        )


async def _head(
    client: httpx.AsyncHTTPTransport, url: SecretStr, user_agent: str
) -> httpx.Response:
    headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
    try:
        request = httpx.Request("HEAD", url.get_secret_value(), headers=headers)
        request.extensions["timeout"] = httpx.Timeout(ANSWER_SECONDS).as_dict()
        answer = await client.handle_async_request(request)
        await answer.aclose()
        return answer
    except httpx.ProxyError as error:
        raise Retry(
            "The proxy does not let PostFlow look at its public address ({kind}).",
            hint="Check address and password in HTTPS_PROXY, or name the tunnel's domain in "
            "NO_PROXY.",
            code="tunnel.proxy",
            kind=type(error).__name__,
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Not chained: the client's texts hold the address.
        raise Retry(
            "The public address cannot be reached ({kind}).",
            hint="Check the internet connection and the tunnel.",
            code="tunnel.unreachable",
            kind=type(error).__name__,
        ) from None


def _edge_code(headers: httpx.Headers) -> int | None:
    return code_in(headers.get(EDGE_HEADER, ""))
