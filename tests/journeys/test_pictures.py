"""A clip's picture: made while the clip travels, and shown wherever people are told of it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from postflow.cli.status import tell_history, tell_status
from postflow.engine.studio import open_studio
from postflow.ledger import Ledger
from postflow.media import picture
from postflow.media.probe import probe_media
from postflow.models import Delivery, MediaFile
from postflow.outlet import Served
from postflow.sandbox import Sandbox
from postflow.state import state_dir
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings, words
from tests.journeys.runs import artifacts_of, run_for
from tests.support.wait import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.shows]


async def delivered(clip: Path, studio: str, *, lost: bool = False) -> Delivery:
    """The transfer lasts until the picture is there; `lost`: and it is gone when that ends."""
    from postflow.flows.deliver import deliver

    async def until_made(media: MediaFile, _served: Served) -> None:
        made = picture.path_of(media.revision)
        await wait_until(made.exists, description="the picture")
        if lost and made.is_file():
            made.unlink()
            made.mkdir()

    async with open_studio(studio, progress=until_made):
        return await deliver(clip, studio=studio)


def shown(message: dict[str, Any]) -> list[bytes]:
    """The files of a message, all of them in its embed."""
    urls = [each["url"] for each in message["attachments"]]
    assert urls == [message["embeds"][0]["image"]["url"]] if urls else True
    return [httpx.get(url).content for url in urls]


async def test_the_picture_is_in_the_message_the_slip_and_the_status(
    loopback_studio: str,
    world: Sandbox,
    make_clip: MakeClip,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip = make_clip()
    async with open_studio(loopback_studio) as opened:
        await opened.pictures.make(await probe_media(clip))
        run = await run_for(clip, loopback_studio)
    (message,) = world.messages()
    kept = picture.path_of((await probe_media(clip)).revision)
    assert shown(message) == [kept.read_bytes()]
    assert message["components"][0]["components"][0]["label"] == "Open in Frame.io"

    slip = str((await artifacts_of(run))["markdown"].data)
    small = picture.path_of(kept.stem, small=True)
    assert base64.b64encode(small.read_bytes()).decode() in slip
    with Ledger.open() as ledger:
        tell_status(ledger, loopback_studio, json=True)
        (clip_of_status,) = json.loads(capsys.readouterr().out)["clips"]
        tell_history(ledger, loopback_studio, json=True)
        (clip_of_history,) = json.loads(capsys.readouterr().out)
    assert {clip_of_status["picture"], clip_of_history["picture"]} == {str(kept)}


async def test_it_is_made_beside_the_transfer_and_a_re_export_has_its_own(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    await delivered(make_clip(), loopback_studio)
    await delivered(make_clip(extra=64), loopback_studio)
    assert endings(world) == [READY, READY]
    first, again = world.messages()
    assert [len(shown(each)) for each in (first, again)] == [1, 1]
    assert "Exported again" in words(world)
    assert len(list((state_dir() / "pictures").iterdir())) == 4, "each has a small one beside it"


async def test_where_the_picture_is_missing_the_message_goes_without(
    loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    await delivered(make_clip(), loopback_studio, lost=True)
    assert endings(world) == [READY]
    assert shown(world.messages()[0]) == []


async def test_a_decoder_that_fails_costs_no_clip(
    loopback_studio: str,
    world: Sandbox,
    make_clip: MakeClip,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """One that hangs ends with the transfer."""
    from postflow.flows.deliver import deliver

    hangs = tmp_path / "hangs.py"
    hangs.write_text("while True: pass")
    monkeypatch.setattr(picture, "SCRIPT", hangs)
    await deliver(make_clip(), studio=loopback_studio)
    assert endings(world) == [READY]


async def test_pictures_go_with_the_rows_of_their_clips(
    loopback_studio: str, make_clip: MakeClip
) -> None:
    from postflow.flows.ingest import ingest

    delivery = await delivered(make_clip(), loopback_studio)
    kept = picture.path_of(delivery.media.revision)
    gone = picture.path_of("0" * 32)
    gone.write_bytes(b"x")
    small = picture.path_of(delivery.media.revision, small=True)
    for each in (kept, small, gone):
        os.utime(each, (0, 0))
    (state_dir() / "swept").unlink(missing_ok=True)
    await ingest(loopback_studio, idle_timeout=0.0)
    assert (kept.exists(), small.exists(), gone.exists()) == (True, True, False)
