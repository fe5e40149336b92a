"""What of a Prefect server and of this machine's folders stands open to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import reduce
from pathlib import Path

import httpx
from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from postflow.http import is_private
from postflow.language import N_, told
from postflow.state import open_to_others, state_dir

STRANGER = "postflow-check.invalid"
PAGE = {"Origin": f"http://{STRANGER}", "Access-Control-Request-Method": "POST"}
REMEDY = N_(
    "Give the server a password (PREFECT_SERVER_API_AUTH_STRING; PREFECT_API_AUTH_STRING for all "
    "that talk to it), let it answer no pages but its own "
    "(PREFECT_SERVER_CORS_ALLOWED_ORIGINS=http://127.0.0.1:4200) and, beyond this machine, TLS. "
    "`python -P -m postflow.service.prefect_server` checks host names."
)
PATIENCE = 10.0

Say = str | tuple[str, str]


async def prefect_door() -> Say:
    """Knocks at the configured server as somebody does who has no password, and changes nothing."""
    api = str(PREFECT_API_URL.value())
    async with httpx.AsyncClient(base_url=api, timeout=PATIENCE) as client:
        found = [said async for said in _open(client)]
    if found:
        says = reduce(lambda one, other: N_("{one}, and {other}", one=one, other=other), found)
        return (N_("{api} {says}", api=_shown(api), says=says), REMEDY)
    closed = N_("{api} asks for a password, and answers no other origin and no foreign name")
    return N_(closed, api=_shown(api))


async def _open(client: httpx.AsyncClient) -> AsyncIterator[str]:
    if (await client.get("/admin/version")).is_success:
        yield N_("gives all secrets to whoever asks, and runs what he wants: it has no password")
    answer = await client.options("/block_documents/filter", headers=PAGE)
    if "access-control-allow-origin" in answer.headers:
        yield N_("answers web pages of every origin")
    if (await client.get("/health", headers={"Host": STRANGER})).is_success:
        yield N_("answers under every host name")
    if not is_private(client.base_url):
        yield N_("hears the password in clear, for want of TLS")


def _shown(api: str) -> str:
    """Without the password that an address may hold."""
    url = httpx.URL(api)
    return str(url.copy_with(userinfo=b"")) if url.userinfo else api


async def private_folders() -> Say:
    """The ledger, logs and the password of `up`'s server; Prefect's database with its key."""
    open_ones = [open_to_others(each) for each in folders_with_secrets()]
    open_to_all = [each for each in open_ones if each]
    if open_to_all:
        says = " ".join(told(said) for said, _ in open_to_all)
        return (says, " && ".join(told(remedy) for _, remedy in open_to_all))
    return N_("readable for their owner only")


def folders_with_secrets() -> tuple[Path, Path]:
    return state_dir(), Path(PREFECT_HOME.value())
