"""Is a studio's set-up in order? Asked part by part, as the parts depend on each other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal
from uuid import uuid4

from postflow.errors import Fatal, PostFlowError
from postflow.frameio import FrameioClient
from postflow.frameio.credentials import USER_SCOPES, ServiceCredential
from postflow.media import look_at
from postflow.models import Moment, Project
from postflow.outlet import Outlet
from postflow.outlet.ngrok import version
from postflow.outlet.probe import probe

from .adobe_tokens import BlockTokenStore
from .ngrok_tunnel import NgrokTunnel
from .opening import get_frameio_client, get_outlet
from .studio import Studio

Say = str | tuple[str, str]


class Finding(Moment):
    """One line of the check."""

    part: str
    verdict: Literal["ok", "warning", "failed", "not asked"]
    says: str
    hint: str = ""


async def check_studio(studio: Studio) -> AsyncIterator[Finding]:
    """One finding a part. What hangs on a failed part is not asked."""
    async with AsyncExitStack() as stack:
        for chain in (_naming(studio), _frameio(studio, stack), _outlet(studio), _discord(studio)):
            failed: str | None = None
            for part, ask in chain.items():
                if failed:
                    yield Finding(part=part, verdict="not asked", says=f"{failed} comes first")
                    continue
                finding = await _find(part, ask)
                failed = part if finding.verdict == "failed" else None
                yield finding


async def _find(part: str, ask: Callable[[], Awaitable[Say]]) -> Finding:
    try:
        said = await ask()
    except PostFlowError as error:
        return Finding(part=part, verdict="failed", says=error.message, hint=error.hint)
    if isinstance(said, tuple):
        return Finding(part=part, verdict="warning", says=said[0], hint=said[1])
    return Finding(part=part, verdict="ok", says=said)


Chain = dict[str, Callable[[], Awaitable[Say]]]


def _naming(studio: Studio) -> Chain:
    async def rules() -> Say:
        return f"{len(studio.get_naming().rules)} rules, each with its examples"

    return {"Naming rules": rules}


def _frameio(studio: Studio, stack: AsyncExitStack) -> Chain:
    """Sign-in, scopes, account, project and the right to write, each on top of the last."""
    at = studio.frameio
    clients: list[FrameioClient] = []
    projects: list[Project] = []

    async def sign_in() -> Say:
        await studio.adobe.get_token_source().token()
        clients.append(await stack.enter_async_context(get_frameio_client(studio)))
        return f"an access token for credential {studio.adobe.client_id[:6]}…"

    async def scopes() -> Say:
        return await _scopes(studio)

    async def who() -> Say:
        profile = await clients[0].me()
        return f"{profile.name} ({profile.email})"

    async def project() -> Say:
        projects.append(await clients[0].find_project(at.project, at.account, at.workspace))
        return f"{projects[0].name}, id {projects[0].id}"

    async def writing() -> Say:
        folder = await clients[0].ensure_folder(projects[0], (f"postflow-check-{uuid4().hex[:8]}",))
        await clients[0].delete_folder(folder)
        return "a folder could be made, and was removed"

    return {
        "Adobe sign-in": sign_in,
        "Adobe scopes": scopes,
        "Frame.io user": who,
        "Frame.io project": project,
        "Frame.io write access": writing,
    }


async def _scopes(studio: Studio) -> Say:
    if isinstance(studio.adobe.get_credential(), ServiceCredential):
        return "server-to-server, by the Admin Console"
    tokens = await BlockTokenStore(studio.adobe.document_name).load()
    granted = set(tokens.scopes) if tokens else set()
    if not granted:
        return ("Adobe did not say what it granted", "Should Frame.io answer 401, sign in again.")
    missing = [scope for scope in USER_SCOPES if scope not in granted]
    if "additional_info.roles" in missing:
        raise Fatal(
            "The sign-in lacks the scope additional_info.roles, so Frame.io answers 401.",
            hint="Enable it on the Adobe credential, then `postflow login` again; docs/adobe.md.",
            code="adobe.scopes",
        )
    if missing:
        return (f"not granted: {', '.join(missing)}", "See docs/adobe.md; then `postflow login`.")
    return "all granted"


def _outlet(studio: Studio) -> Chain:
    chain: Chain = {}
    if studio.tunnel.provider == "ngrok":
        chain["ngrok agent"] = lambda: _agent(studio.tunnel)
    chain["Outlet, seen from outside"] = lambda: _reachable(get_outlet(studio))
    return chain


async def _agent(tunnel: NgrokTunnel) -> Say:
    return f"version {await version(tunnel.ngrok_path)}"


async def _reachable(outlet: Outlet) -> Say:
    """A small file of random bytes is exposed and asked for through the public address."""
    with tempfile.NamedTemporaryFile(prefix="postflow-check-", suffix=".mov") as file:
        file.write(os.urandom(4096))
        file.flush()
        media = await look_at(Path(file.name))
        async with outlet.expose(media) as exposure:
            probed = await probe(exposure.url, media.size)
    if probed.warning:
        return (probed.warning, "Any paid plan of ngrok ends it.")
    return "a test file could be fetched, also by a browser"


def _discord(studio: Studio) -> Chain:
    discord = studio.discord

    async def webhook() -> Say:
        if discord is None:
            return "none; clips are delivered without announcement"
        async with discord.get_client() as client:
            return f"leads to “{await client.check()}”"

    return {"Discord webhook": webhook}
