"""Is a studio's set-up in order? Asked part by part, as the parts depend on each other."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from prefect import get_client
from prefect.client.schemas import filters
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from postflow.blocks.studio import Studio
from postflow.blocks.tunnel import Tunnel
from postflow.engine.runs import INGEST, LEDGER, SIGNATURE, find_runs, is_of
from postflow.engine.studio import get_outlet
from postflow.errors import PostFlowError
from postflow.feeds import Sink
from postflow.folder.enrolment import why_not_watched
from postflow.folder.wakeup import inspect
from postflow.language import N_, told
from postflow.ledger import default_path, hosts, open_ledger, roots
from postflow.ledger.process import ProcessMark, host_of
from postflow.ledger.schema import SCHEMA_VERSION
from postflow.media.picture import can_be_made
from postflow.media.probe import probe_media
from postflow.media.volume import file_system_of
from postflow.models import FrozenModel
from postflow.outlet import Outlet
from postflow.outlet.ngrok.binary import version
from postflow.outlet.probe import probe
from postflow.state import this_host

from .check_frameio import Chain, FrameioCheck
from .exposure import Say, prefect_door, private_folders

APART = timedelta(seconds=5)
RECENT = timedelta(days=1)
HOSTS_REMEDY = N_(
    "Set clocks by NTP, mount what is missing, give each host its own POSTFLOW_HOST and all of "
    "them one ledger; one that will not come back: postflow hosts --forget NAME."
)


class Finding(FrozenModel):
    """One line of the check."""

    part: str
    verdict: Literal["ok", "warning", "failed", "not asked"]
    says: str
    hint: str = ""


async def check_studio(studio: Studio) -> AsyncIterator[Finding]:
    """One finding a part. What hangs on a failed part is not asked."""
    async with AsyncExitStack() as stack:
        chains: tuple[Chain, ...] = (
            {N_("Prefect's server"): prefect_door},
            {N_("State folders"): private_folders},
            _naming(studio),
            *_folders(studio),
            _ledger(studio),
            FrameioCheck(studio, stack).chain(),
            _outlet(studio, stack),
            _discord(studio),
            *(_sink(studio.document_name, sink) for sink in studio.sinks),
        )
        for chain in chains:
            failed: str | None = None
            for part, ask in chain.items():
                if failed:
                    yield Finding(
                        part=told(part),
                        verdict="not asked",
                        says=told(N_("{part} comes first", part=failed)),
                    )
                    continue
                finding = await _find(part, ask)
                failed = part if finding.verdict == "failed" else None
                yield finding


async def _find(part: str, ask: Callable[[], Awaitable[Say]]) -> Finding:
    try:
        said = await ask()
    except PostFlowError as error:
        message, hint = error.told
        return Finding(part=told(part), verdict="failed", says=message, hint=hint)
    if isinstance(said, tuple):
        says, hint = map(told, said)
        return Finding(part=told(part), verdict="warning", says=says, hint=hint)
    return Finding(part=told(part), verdict="ok", says=told(said))


def _naming(studio: Studio) -> Chain:
    async def rules() -> Say:
        many = len(studio.get_naming().rules)
        return N_("{many} rules, each with its examples", many=many)

    return {N_("Naming rules"): rules}


def _folders(studio: Studio) -> list[Chain]:
    """Each by itself: one that is lost says nothing of the others."""

    async def none() -> Say:
        return N_("none; clips are delivered by hand only")

    folders = studio.watching.folders
    if not folders:
        return [{N_("Watch folders"): none}]
    return [
        {N_("Watch folder {folder}", folder=at): partial(_folder, studio, at)} for at in folders
    ]


async def _folder(studio: Studio, at: Path) -> Say:
    said = await inspect(at, studio.watching)
    try:
        async with open_ledger(studio.ledger) as ledger:
            name = studio.document_name
            why = await ledger.run(why_not_watched, name, at)
    except PostFlowError:
        return said  # the ledger has a line of its own
    if why is None or (why.code == "folder.not_enrolled" and not isinstance(said, str)):
        return said
    if why.code == "folder.not_enrolled":
        return N_("there; {how}", how=why.message), why.hint
    raise why


def _ledger(studio: Studio) -> Chain:
    async def opens() -> Say:
        async with open_ledger(studio.ledger) as ledger:
            place = N_(
                "{place}, schema {schema}", place=_place_of(studio.ledger), schema=SCHEMA_VERSION
            )
            return clocks_apart(ledger.ledger.host_ahead, place) or place

    return {N_("Ledger"): opens, N_("Hosts"): partial(_hosts_in_order, studio)}


def clocks_apart(ahead: timedelta, place: str) -> Say | None:
    """A warning where this machine's clock and the database's differ by seconds."""
    if abs(ahead) <= APART:
        return None
    which = (
        N_("{place}; this machine's clock is {seconds:.0f} s ahead of the database's")
        if ahead > APART
        else N_("{place}; this machine's clock is {seconds:.0f} s behind the database's")
    )
    remedy = N_(
        "Have both set by NTP. Leases go by the database's clock, and no host robs another; but "
        "what a dead run left in Frame.io is known by when it was asked for."
    )
    return N_(which, place=place, seconds=abs(ahead).total_seconds()), remedy


async def _hosts_in_order(studio: Studio) -> Say:
    name = studio.document_name
    async with open_ledger(studio.ledger) as ledger:
        living = [each for each in await ledger.run(hosts.known, name) if each.lives]
        ours = await ledger.run(roots.ledger_id)
    found = [*troubles(living), *await _with_another_ledger(name, ours)]
    if found:
        return "; ".join(map(told, found)), HOSTS_REMEDY
    names = sorted({each.name for each in living})
    return ", ".join(names) if names else N_("none watches at the moment")


def troubles(living: Iterable[hosts.Host]) -> Iterator[str]:
    """What a person should know of hosts that live."""
    machines = Counter(name for name, _ in {(each.name, each.machine) for each in living})
    for name in (each for each, many in machines.items() if many > 1):
        yield N_("{many} machines are called {name}", many=machines[name], name=name)
    for host in {each.name: each for each in living}.values():
        if abs(host.ahead) > APART.total_seconds():
            which = (
                N_("the clock of {name} is {seconds:.0f} s ahead of the database's")
                if host.ahead > 0
                else N_("the clock of {name} is {seconds:.0f} s behind the database's")
            )
            yield N_(which, name=host.name, seconds=abs(host.ahead))
        for path, why in host.missing.items():
            yield N_("{name} does not reach {path} ({why})", name=host.name, path=path, why=why)


async def _with_another_ledger(studio: str, ours: str) -> list[str]:
    """Hosts that ran `ingest` by this Prefect server in the last day, and remember it elsewhere."""
    since = filters.FlowRunFilterStartTime(after_=datetime.now(tz=UTC) - RECENT)
    async with get_client() as client:
        runs = await find_runs(client, flow=INGEST, start_time=since)
    others = {
        host_of(ProcessMark.model_validate_json(str(run.labels[SIGNATURE])).machine)
        for run in runs
        if is_of(studio, run) and run.labels.get(LEDGER, ours) != ours and SIGNATURE in run.labels
    }
    return [N_("{name} has another ledger", name=host) for host in sorted(others - {this_host()})]


def _place_of(ledger: SecretStr | None) -> str:
    """Without the password that a database's address may hold."""
    where = ledger.get_secret_value() if ledger else str(default_path())
    if "://" in where:
        url = make_url(where)
        host = url.host or N_("this machine")
        return N_("PostgreSQL, database {name} on {host}", name=url.database, host=host)
    kind = file_system_of(Path(where)).type
    return N_("{place} on this machine's own disk ({kind})", place=where, kind=kind)


def _outlet(studio: Studio, stack: AsyncExitStack) -> Chain:
    tunnel, outlet = studio.tunnel, get_outlet(studio)
    if tunnel is None or outlet is None or studio.transfer == "direct":
        return {N_("Tunnel"): _not_needed}
    chain: Chain = {}
    if tunnel.provider == "ngrok":
        chain[N_("ngrok agent")] = lambda: _agent(tunnel)
        chain[N_("ngrok account")] = lambda: _tunnel(outlet, stack)
    chain[N_("Outlet, seen from outside")] = lambda: reachable(outlet)
    return chain


async def _not_needed() -> Say:
    return N_("none, and none is needed: clips are sent directly")


async def _tunnel(outlet: Outlet, stack: AsyncExitStack) -> Say:
    await stack.enter_async_context(outlet.opened())
    return N_("the authtoken is accepted, and a tunnel could be opened")


async def _agent(tunnel: Tunnel) -> Say:
    return N_("version {number}", number=await version(tunnel.ngrok_path))


async def reachable(outlet: Outlet) -> Say:
    """A small file of random bytes is exposed and asked for through the public address."""
    with tempfile.NamedTemporaryFile(prefix="postflow-check-", suffix=".mov") as file:
        file.write(os.urandom(4096))
        file.flush()
        media = await probe_media(Path(file.name))
        async with outlet.expose(media) as exposure:
            warning = await probe(exposure.url, media.size)
    if warning:
        return (warning, N_("Any paid plan of ngrok ends it."))
    return N_("a test file could be fetched, also by a browser")


def _discord(studio: Studio) -> Chain:
    discord = studio.discord

    async def webhook() -> Say:
        if discord is None:
            return N_("none; clips are delivered without announcement")
        async with discord.get_client() as client:
            name = await client.check()
        leads = (
            N_("leads to “{name}”")
            if can_be_made()
            else N_("leads to “{name}”; without pictures, since PyAV is not installed")
        )
        return N_(leads, name=name)

    return {N_("Discord webhook"): webhook}


def _sink(studio: str, sink: Sink) -> Chain:
    async def test() -> Say:
        await sink.test(studio)
        return N_("was told that this is a test")

    return {N_("The hook") if sink.name == "hook" else N_("Alarm by {kind}", kind=sink.kind): test}
