"""Secrets reach nobody who is not meant to have them, whether a journey succeeds or fails."""

from __future__ import annotations

import base64
import logging
import os
import pickle
import re
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL

from postflow.cli.sandbox import sandbox_studio
from postflow.errors import PostFlowError
from postflow.frameio import Tokens
from postflow.models import Delivery, Transfer
from postflow.sandbox import Sandbox, running
from postflow.sandbox.server import application as made
from postflow.sandbox.world import World
from postflow.servers import password
from postflow.settings import RetryPolicy
from tests.journeys import conftest as journeys
from tests.journeys.faults import ALWAYS, Fault, arm_all, fault
from tests.journeys.studios import QUICK
from tests.support import confidences as kinds
from tests.support import prefect_tells
from tests.support.bystander import Bystander, files_below
from tests.support.confidences import Confidences

pytestmark = [pytest.mark.prefect, pytest.mark.events]

make_clip = journeys.make_clip
nothing_cached = journeys.nothing_cached
nothing_left = journeys.nothing_left
results = journeys.results
short_pauses = journeys.short_pauses
world = journeys.world

LOGGERS = ("postflow", "blocks", "tasks", "flows", "httpx", "aiohttp", "pyngrok", "prefect")
SIGNED_IN = frozenset(
    {kinds.AUTHTOKEN, kinds.ACCESS_TOKEN, kinds.WEBHOOK_TOKEN, kinds.PREFECT_PASSWORD}
)
RENEWED = frozenset({kinds.CLIENT_SECRET, kinds.REFRESH_TOKEN})
PARTS = frozenset({kinds.PART_ADDRESS})
EXPOSED = frozenset({kinds.FILE_ADDRESS, kinds.PUBLIC_ADDRESS})
SHARED = frozenset({kinds.SHARE_LINK, kinds.PASSPHRASE})
# Messages are made from the ledger, and they are what people get the link by.
IN_THE_LEDGER = frozenset({kinds.SHARE_LINK})
# The next run goes on with what was sent, so the ledger keeps the addresses of the parts.
GOES_ON = {"sent directly, and the store is out of reach"}
# Ports are used again, so in what other tests wrote, too, an address proves nothing.
ADDRESSES = frozenset({kinds.PUBLIC_ADDRESS})

# Nobody listens there, which is told.
TOLD_TOO = {
    kinds.ALARM: "json://127.0.0.1:9/alarm-canary-0123456789",
    kinds.HOOK: "http://127.0.0.1:9/hook-canary-0123456789",
    kinds.HOOK_SECRET: "hook-secret-canary-0123456789",
    kinds.HOST_AUTHTOKEN: "host-authtoken-canary-0123456789",
}

SIGNED_OUT = fault("token_expiry", "accounts.list")
JOURNEYS: dict[str, tuple[tuple[Fault, ...], str | None, frozenset[str]]] = {
    "delivered": ((SIGNED_OUT,), None, SIGNED_IN | RENEWED | EXPOSED | SHARED),
    "frameio refuses the share": (
        (fault("status", "shares.create", code=422, times=ALWAYS),),
        None,
        SIGNED_IN | EXPOSED | {kinds.PASSPHRASE},
    ),
    "adobe refuses to renew": (
        (SIGNED_OUT, fault("status", "ims.token", code=400, times=ALWAYS)),
        "adobe.",
        SIGNED_IN | RENEWED,
    ),
    "frameio refuses the address": (
        (fault("status", "files.remote_upload", code=422),),
        "frameio.refused",
        SIGNED_IN | EXPOSED,
    ),
    "frameio never gets the file": (
        (fault("upload_failed", "files.remote_upload", times=ALWAYS),),
        "frameio.upload_failed",
        SIGNED_IN | EXPOSED,
    ),
    "ngrok refuses the token": (
        (fault("agent_refuse", "agent", code=105),),
        "tunnel.ngrok.105",
        SIGNED_IN,
    ),
    "sent directly": ((SIGNED_OUT,), None, SIGNED_IN | RENEWED | PARTS),
    "sent directly, and a part is refused": (
        (fault("expired", "parts.put", times=ALWAYS),),
        "frameio.parts_expired",
        SIGNED_IN | PARTS,
    ),
    "sent directly, and the store is out of reach": (
        (fault("reset", "parts.put", times=ALWAYS),),
        "frameio.unreachable",
        SIGNED_IN | PARTS,
    ),
    "discord has lost the webhook": (
        (fault("status", "discord.post", code=404, times=ALWAYS),),
        None,
        SIGNED_IN | EXPOSED,
    ),
}


@pytest.fixture(scope="module")
def secret() -> Confidences:
    """Of all journeys: what one has heard, the next must not show either."""
    return Confidences()


@pytest.fixture(scope="module")
def shared_world(secret: Confidences) -> Iterator[Sandbox]:
    """A world whose secrets are overheard; its fetch waits a little, to be seen."""

    def overheard(world: World) -> web.Application:
        application = made(world)
        application.middlewares.insert(0, secret.listener())
        return application

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "application", overheard)
        with Sandbox(fetch_delay=0.2) as world:
            secret.heard[kinds.AUTHTOKEN].add(world.ngrok_authtoken)
            for kind, told in TOLD_TOO.items():
                secret.heard[kind].add(told.rpartition("/")[2])
            secret.heard[kinds.PREFECT_PASSWORD].add(password().partition(":")[2])
            yield world


@pytest.fixture(scope="module")
def saved() -> set[str]:
    """Addresses of the worlds whose studio is saved."""
    return set()


@pytest.fixture
async def studio(world: Sandbox, nothing_cached: None, saved: set[str]) -> str:
    """Somebody has signed in; everything secret is in the blocks."""
    if world.url not in saved:
        await _save(world)
        saved.add(world.url)
    return "aviary"


async def _save(world: Sandbox) -> None:
    from postflow.blocks.host import Host, own_name
    from postflow.service.save_studio import save_studio
    from postflow.service.studio_file import StudioFile

    tokens = world.tokens()
    tables = sandbox_studio(world.describe(), name="aviary")
    tables["adobe"] |= {
        "kind": "web",
        "access_token": tokens["access_token"],
        "refresh_token": tokens["refresh_token"],
        "expires_at": datetime.now(UTC) + timedelta(seconds=tokens["expires_in"]),
    }
    tables["frameio"]["share"] = {"per": "shot", "passphrase": "aviary-passphrase-0123456789"}
    tables["studio"]["alarms"] = [{"url": TOLD_TOO[kinds.ALARM]}]
    tables["studio"]["hook"] = {"url": TOLD_TOO[kinds.HOOK], "secret": TOLD_TOO[kinds.HOOK_SECRET]}
    file = StudioFile.model_validate(tables)
    section = file.studio.model_copy(update={"retry_policy": RetryPolicy(**QUICK)})
    studio = await save_studio(file.model_copy(update={"studio": section}))
    host = Host.of(studio, authtoken=TOLD_TOO[kinds.HOST_AUTHTOKEN])
    await host.asave(own_name("aviary", "another-host"), overwrite=True)


class Notebook(logging.Handler):
    """Every record as text: the message, its arguments and its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.pages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.pages += [self.format(record), repr(vars(record))]


@pytest.fixture
def notebook(prefect_api: str) -> Iterator[Notebook]:
    """All that the loggers say, down to DEBUG."""
    from postflow.engine.artifacts import show_in_ui

    show_in_ui()
    book = Notebook()
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).addHandler(book)
    yield book
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).removeHandler(book)


@pytest.fixture
def console(
    prefect_api: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> pytest.CaptureFixture[str]:
    """What is shown to a person. Prefect writes to the stderr that its first test had."""
    for name in ("", *logging.root.manager.loggerDict):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, PrefectConsoleHandler):
                monkeypatch.setattr(handler.console, "file", sys.stderr)
    return capfd


@pytest.mark.parametrize("journey", JOURNEYS)
async def test_no_secret_shows_anywhere(
    journey: str,
    secret: Confidences,
    world: Sandbox,
    studio: str,
    notebook: Notebook,
    make_clip: journeys.MakeClip,
    private_state: Path,
    prefect_api: str,
    tmp_path: Path,
    console: pytest.CaptureFixture[str],
) -> None:
    """Each place is proven to be searched: something that is no secret is found there."""
    trouble, code, heard = JOURNEYS[journey]
    clip = make_clip(f"SQ07_UNDLM_{90001 + list(JOURNEYS).index(journey)}_v003.mov")
    arm_all(world, trouble)

    with Bystander(private_state) as bystander:
        way: Transfer = "direct" if journey.startswith("sent directly") else "tunnel"
        outcome = await _outcome(clip, studio, way)

    if code:
        assert isinstance(outcome, PostFlowError)
        assert outcome.code.startswith(code)
    else:
        assert isinstance(outcome, Delivery)
    assert {kind for kind, secrets in secret.heard.items() if secrets} >= heard
    places = {
        "log records": "\n".join(notebook.pages).encode(),
        "results": _content(tmp_path / "results"),
        "outcome": _told(outcome),
        "command lines": b"\n".join(bystander.command_lines),
        **await prefect_tells.told(prefect_api, clip.name, secret.since),
        "stdout and stderr": "".join(console.readouterr()).encode(),
    }
    markers = {
        "task runs": b"identify",
        "states": b"RUNNING",
        "blocks": b"aviary",
        "command lines": b"pytest",
        "outcome": b"flows/deliver.py" if code else clip.name.encode(),
        "artifacts": b"[" if code else clip.name.encode(),
    }
    _expect_nothing(secret, places, markers, default=clip.name.encode())
    state = {"state": _content(private_state)}
    kept = IN_THE_LEDGER | (PARTS if journey in GOES_ON else set())
    _expect_nothing(secret, state, {}, default=clip.name.encode(), but=kept)
    _expect_nothing(secret, _kept_by_prefect(), {}, default=clip.name.encode(), but=ADDRESSES)
    assert _open_secrets(secret, bystander) == []
    assert (kinds.PUBLIC_ADDRESS in heard) <= _token_was_there(secret, bystander)


async def test_first_contact_tells_who_nobody_is(
    secret: Confidences,
    world: Sandbox,
    studio: str,
    notebook: Notebook,
    nothing_left: None,
    console: pytest.CaptureFixture[str],
) -> None:
    """No secret anywhere; in what can be sent, no name, id or address of anything either."""
    from postflow.blocks.studio import load_studio
    from postflow.service.contact.run import contact
    from postflow.service.contact.visit import Bounds

    said: list[str] = []
    bounds = Bounds(slow=10.0, poll=0.1)
    report = await contact(
        await load_studio(studio), lambda told: said.append(repr(told)), bounds=bounds
    )

    ids = [world.account_id, world.workspace_id, world.project_id, world.root_folder_id]
    names = [world.project_name, "Studio Operator", "operator@", studio, "postflow-contact-"]
    sendable = report.text()
    assert [each for each in (*ids, *names, "://", "127.0.0.1") if each in sendable] == []
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|[\w-]{40}", sendable)
    places = {
        "contact.json": sendable.encode(),
        "said": "".join(said).encode(),
        "log records": "\n".join(notebook.pages).encode(),
        "stdout and stderr": "".join(console.readouterr()).encode(),
    }
    markers = {"log records": b"", "stdout and stderr": b""}
    _expect_nothing(secret, places, markers, default=b"How is a clip fetched?")


async def test_answers_of_the_set_up_are_for_their_owner_and_gone_once_it_is_saved(
    secret: Confidences, world: Sandbox, private_state: Path
) -> None:
    from postflow.service.setup.adobe import store_of
    from postflow.service.setup.draft import Draft

    draft = Draft.of("aviary")
    draft.put("tunnel", authtoken=world.ngrok_authtoken)
    tokens = world.tokens()
    secret.heard[kinds.ACCESS_TOKEN].add(tokens["access_token"])
    lasts = {"expires_at": datetime.now(UTC) + timedelta(hours=1)}
    known = {name: tokens[name] for name in tokens if name in Tokens.model_fields}
    await store_of(draft).save(Tokens.model_validate(known | lasts))
    kept = [seen for seen in files_below(private_state) if secret.shown_in(seen.content)]
    assert sorted(seen.path.name for seen in kept) == ["aviary.tokens", "aviary.toml"]
    assert [seen.path for seen in kept if seen.mode & 0o077] == []
    draft.forget()
    assert secret.shown_in(_content(private_state)) == set()


async def _outcome(clip: Path, studio: str, way: Transfer) -> Delivery | PostFlowError:
    from postflow.flows.deliver import deliver

    try:
        return await deliver(clip, studio=studio, transfer=way)
    except PostFlowError as error:
        return error


def _told(outcome: Delivery | PostFlowError) -> bytes:
    """All that can be made of it: words, JSON, a traceback, what pickle keeps."""
    if isinstance(outcome, Delivery):
        return f"{outcome!r} {outcome.model_dump_json()}".encode() + pickle.dumps(outcome)
    words = "".join(traceback.format_exception(outcome))
    return f"{words} {outcome!r} {outcome.__dict__}".encode() + pickle.dumps(outcome)


def _content(folder: Path) -> bytes:
    return b"\n".join(seen.content for seen in files_below(folder))


def _kept_by_prefect() -> dict[str, bytes]:
    """The server's database, in which blocks are encrypted, and Prefect's folder."""
    database = Path(str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value()).partition("///")[2])
    return {
        "database and home": _content(database.parent) + _content(Path(os.environ["PREFECT_HOME"]))
    }


def _expect_nothing(
    secret: Confidences,
    places: dict[str, bytes],
    markers: dict[str, bytes],
    *,
    default: bytes,
    but: frozenset[str] = frozenset(),
) -> None:
    unproven = [name for name, told in places.items() if markers.get(name, default) not in told]
    assert unproven == []
    shown = {name: secret.shown_in(told, but=but) for name, told in places.items()}
    assert {name: kinds for name, kinds in shown.items() if kinds} == {}


def _open_secrets(secret: Confidences, bystander: Bystander) -> list[Path]:
    """Files that held a secret for a while, and that others could have read."""
    return [
        seen.path
        for seen in bystander.files
        if seen.mode & 0o077 and secret.shown_in(seen.content, but=ADDRESSES)
    ]


def _token_was_there(secret: Confidences, bystander: Bystander) -> bool:
    """The agent has to be told its token, in a file of its own."""
    return any(kinds.AUTHTOKEN in secret.shown_in(seen.content) for seen in bystander.files)


@pytest.mark.parametrize("wrapped", [b"%s", b"Bearer %s\n", b"x%s\0", b"\xff1%s."])
def test_the_search_finds_a_secret_in_disguise(wrapped: bytes) -> None:
    secret = Confidences()
    secret.heard[kinds.AUTHTOKEN].add("2ngrok/Secret+Canary_0123456789")
    plain = wrapped % b"2ngrok/Secret+Canary_0123456789"
    disguises = [plain, base64.b64encode(plain), quote(plain, safe="").encode()]
    assert [secret.shown_in(told) for told in disguises] == [{kinds.AUTHTOKEN}] * 3
    assert secret.shown_in(plain.replace(b"0", b"1")) == set()
