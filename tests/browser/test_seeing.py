"""What people look at: the clip on the sandbox's page, and its journey in Prefect's UI."""

from __future__ import annotations

import pytest

from postflow.media.picture import Pictures
from postflow.media.probe import probe_media
from postflow.models import Delivery, Drained
from tests.browser.looking import Page
from tests.journeys.conftest import MakeClip

pytestmark = [pytest.mark.browser, pytest.mark.prefect]

CLIP = "SQ07_UNDLM_00152_v003.mov"
BATCH = (CLIP, "SQ07_UNDLM_00153_v001.mov", "SQ09_UNDLM_00010_v002.mov")
STAGES = ("identify", "place", "transfer", "stack", "announce")


@pytest.fixture
async def delivered(page: Page, studio: str, make_clip: MakeClip) -> Delivery:
    from postflow.flows.deliver import deliver

    clip = make_clip(CLIP)
    async with Pictures() as pictures:
        await pictures.make(await probe_media(clip))
    return await deliver(clip, studio=studio)


@pytest.fixture
async def ingested(page: Page, studio: str, make_clip: MakeClip) -> Drained:
    from postflow.flows.ingest import ingest

    for number, name in enumerate(BATCH):
        make_clip(name, extra=8 * number)
    return await ingest(studio)


def test_the_delivered_clip_plays_in_its_folder(delivered: Delivery, page: Page) -> None:
    page.open(delivered.view_url)
    page.find("video#clip")
    page.wait_for_script("clip.readyState >= 2")
    page.wait_for_script("clip.play() && true")
    page.wait_for_script("clip.currentTime > 0.5 && clip.videoWidth > 0 && !clip.error")

    assert page.find("#tree .current").text == CLIP
    folders = page.find("#tree").text.splitlines()
    assert folders == ["UNDLM", "2_FROM_ANIM", "SQ07", "UNDLM_00152", CLIP]
    assert page.find("#clip-name").text == CLIP


def test_prefect_shows_the_run_its_stages_and_the_slip_with_the_link(
    delivered: Delivery, page: Page, prefect_ui: str
) -> None:
    page.open(f"{prefect_ui}/runs")
    page.follow(CLIP)
    page.wait_for(CLIP, "Completed", f"{CLIP} arrived whole", "is delivered, after")

    page.turn_to("task-runs")
    page.wait_for(*STAGES)
    page.turn_to("artifacts")
    page.follow("clip-sq07-undlm-00152-v003-mov")
    page.wait_for("2_FROM_ANIM/SQ07/UNDLM_00152", delivered.file_id)
    page.wait_for_script("document.querySelector('img[alt=\"One frame\"]').naturalWidth == 240")
    assert page.link("Open in Frame.io").get_attribute("href") == delivered.view_url


def test_prefect_shows_a_batch_as_runs_of_their_own_and_a_table(
    ingested: Drained, page: Page, prefect_ui: str
) -> None:
    page.open(f"{prefect_ui}/runs")
    page.follow("ingest main")
    page.turn_to("subflow-runs")
    for clip in BATCH:
        page.link(clip)

    page.turn_to("artifacts")
    page.follow("ingest-main")
    page.wait_for("outcome", *BATCH, *ingested.delivered.values())
