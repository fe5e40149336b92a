"""A further host joins: it uses the first one's Prefect server, and finds its watch folders."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
from prefect import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    get_current_settings,
    update_current_profile,
)
from pydantic import SecretStr

from postflow.blocks.base import set_environment
from postflow.blocks.host import Host, own_name
from postflow.blocks.studio import Studio, load_part, load_studio
from postflow.engine.runs import SERVER_FAILS
from postflow.errors import Fatal, PostFlowError, Retry
from postflow.folder.root import AbsentError, read_mark
from postflow.ledger import open_ledger, roots
from postflow.ledger.opening import is_shared
from postflow.media import volume
from postflow.servers import API, CLIENT_PASSWORD, keep_password
from postflow.state import this_host

log = logging.getLogger(__name__)

ANSWERS = 10.0
# Seconds for a mount to tell whether a folder is on it; a dead one never does.
LOOK = 5.0
# Seconds between two looks for folders that are not here yet.
LOOK_AGAIN = 30.0
SYSTEM = ("/proc", "/sys", "/dev", "/run", "/snap")

AskPassword = Callable[[], str]
AskFolder = Callable[[Path, Sequence[Path]], Path | None]


def join(api: str, ask: AskPassword | None) -> None:
    """Use that Prefect server from now on: it is kept in Prefect's profile.

    `ask`: a person for the password, where none is set. Raises Fatal `prefect.password`,
    `prefect.address`, Retry `prefect.unreachable`.
    """
    password = os.environ.get(CLIENT_PASSWORD) or PREFECT_API_AUTH_STRING.value()
    said = password.get_secret_value() if hasattr(password, "get_secret_value") else password or ""
    if not _opens(api, said):
        asked = ask() if ask else ""
        if not asked or not _opens(api, asked):
            raise Fatal(
                f"Prefect's server at {api} does not take the password."
                if said or asked
                else f"Prefect's server at {api} asks for a password.",
                hint=f"Set {CLIENT_PASSWORD}=postflow:…, as on the first host, where `postflow ui` "
                "shows it.",
                code="prefect.password",
            )
        said = asked
    if said:
        keep_password(said)
    set_environment({API: api} | ({CLIENT_PASSWORD: said} if said else {}))
    update_current_profile({PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: said or None})
    get_current_settings().profiles_path.chmod(0o600)


def _opens(api: str, password: str) -> bool:
    auth = httpx.BasicAuth(*password.split(":", 1)) if ":" in password else None
    try:
        answer = httpx.get(f"{api}/admin/version", auth=auth, timeout=ANSWERS)
    except httpx.HTTPError as error:
        raise Retry(
            f"Prefect's server at {api} cannot be reached ({type(error).__name__}).",
            hint="See whether it runs there, and whether this machine may connect to it.",
            code="prefect.unreachable",
        ) from None
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return False
    if not answer.is_success:
        raise Fatal(
            f"What answers at {api} is no Prefect server.",
            hint="Name the server's own address, as https://prefect.studio.example.",
            code="prefect.address",
        )
    return True


def demand_shared(ledger: SecretStr | None, name: str) -> None:
    """Raises Fatal `host.ledger` where the studio has a ledger that no other host can use."""
    if not is_shared(ledger):
        raise Fatal(
            f"Studio {name!r} keeps its ledger in a file of one machine, so no other host can "
            "deliver for it.",
            hint='Give it one on PostgreSQL on the first host: [studio] ledger = "postgresql://…", '
            "and `postflow setup --file` there.",
            code="host.ledger",
        )


class Settled(NamedTuple):
    """The studio as it is on this host. `has_more`: something was found just now; `has_all`: no
    watch folder is looked for any more.
    """

    studio: Studio
    has_more: bool
    has_all: bool


async def settle_in(studio: Studio, name: str, ask: AskFolder | None) -> Settled:
    """Give this host its own part of a studio that several hosts share, from its first start on.

    Watch folders that it has elsewhere are known by their marker; a person may be asked for them.
    Without a person, those that are not found are looked for again; see `arrivals`.
    """
    if not is_shared(studio.ledger):
        return Settled(studio, has_more=False, has_all=True)
    part = await load_part(name)
    folders = part.overridden().missing if part else studio.watching.folders
    if not folders:
        return Settled(studio, has_more=False, has_all=True)
    here = {each: await _find(studio, name, each, ask) for each in folders}
    found = {each: at for each, at in here.items() if at}
    if not (found or ask):
        return Settled(studio, has_more=False, has_all=False)
    missing = [] if ask else [each for each in folders if each not in found]
    kept = {each: each for each in studio.watching.folders if each not in folders}
    places = kept | found | {each: each for each in missing}
    rules = studio.watching.ignore_in.items()
    own = Host.of(
        studio,
        folders=tuple(places.values()),
        missing=tuple(missing),
        ignore_in={places[each]: names for each, names in rules if each in places},
    )
    await own.asave(own_name(name, this_host()), overwrite=True)
    return Settled(await load_studio(name), has_more=True, has_all=not missing)


async def arrivals(studio: Studio, name: str) -> AsyncIterator[Studio]:
    """The same, whenever a volume was mounted that was not yet, its folder marked by the first
    host, or its place named by a person; until none is missing.
    """
    has_all = False
    while not has_all:
        await asyncio.sleep(LOOK_AGAIN)
        try:
            found = await settle_in(studio, name, None)
            if found.has_all and not found.has_more:  # a person has named them
                found = Settled(await load_studio(name), has_more=True, has_all=True)
        except (PostFlowError, *SERVER_FAILS) as error:
            log.warning("The watch folders of %s could not be looked for: %s", name, error)
        except Exception:
            log.exception("A fault of our own; the watch folders of %s are looked for again:", name)
        else:
            has_all = found.has_all
            if found.has_more:
                studio = found.studio
                yield studio


async def _find(studio: Studio, name: str, folder: Path, ask: AskFolder | None) -> Path | None:
    """Where it is here. Of two places, as of a snapshot, none is taken without being asked for."""
    async with open_ledger(studio.ledger) as ledger:
        marks = await ledger.run(roots.marks_at, name, folder)
    if await _has_mark(folder, marks) or (not (marks or ask) and await _is_folder(folder)):
        return folder
    places = await places_of(folder, marks, mounted())
    if ask is None:
        return places[0] if len(places) == 1 else None
    while (said := ask(folder, places)) and marks and not await _has_mark(said, marks):
        log.warning("%s does not have the marker of %s.", said, folder)
    return said


async def places_of(folder: Path, marks: Collection[str], mounts: Iterable[Path]) -> list[Path]:
    """Where the end of the folder's path, on one of the mounts, has one of the marks."""
    parts = folder.parts[1:]
    ends = [Path(*parts[at:]) for at in range(len(parts) + 1)]
    candidates = list(dict.fromkeys(mount / end for mount in mounts for end in ends))
    answers = await asyncio.gather(*(_has_mark(each, marks) for each in candidates))
    return [each for each, is_it in zip(candidates, answers, strict=True) if is_it]


def mounted() -> Iterator[Path]:
    """Where volumes are mounted on this machine."""
    for volume_ in psutil.disk_partitions(all=True):
        mount = Path(volume_.mountpoint)
        if not any(mount.is_relative_to(each) for each in SYSTEM):
            yield mount


async def _has_mark(path: Path, marks: Collection[str]) -> bool:
    def look() -> bool:
        try:
            return read_mark(path).id in marks
        except AbsentError:
            return False

    return await _in_time(look, path)


async def _is_folder(path: Path) -> bool:
    return await _in_time(lambda: volume.is_folder(path), path)


# Paths that a thread looks at, which on a dead mount never comes back.
looked_at: set[Path] = set()


async def _in_time(look: Callable[[], bool], path: Path) -> bool:
    """False where it does not answer; it is not asked again before it has."""

    def answered() -> bool:
        looked_at.add(path)
        try:
            return look()
        finally:
            looked_at.discard(path)

    if path in looked_at:
        return False
    try:
        return await volume.ask_in_time(answered, path, timeout=LOOK)
    except Retry:
        return False


async def forget(studio: str, host: str) -> bool:
    """Remove the host's deployments and its part of the studio; was there any?"""
    name, found = own_name(studio, host), False
    async with get_client() as client:
        for flow in ("ingest", "deliver"):
            with suppress(ObjectNotFound):
                deployment = await client.read_deployment_by_name(f"{flow}/{name}")
                await client.delete_deployment(deployment.id)
                found = True
    with suppress(ValueError):
        await Host.adelete(name)
        found = True
    return found
