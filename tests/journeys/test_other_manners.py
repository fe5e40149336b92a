"""What first contact calls handled is: such a Frame.io gets every clip, too."""

from __future__ import annotations

from typing import Any

import pytest

from postflow.sandbox import Sandbox
from postflow.service.contact.questions import QUESTIONS
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import READY, endings

pytestmark = pytest.mark.prefect

HANDLED = {
    question.key: [
        answer for answer, consequence in question.otherwise.items() if consequence.handled
    ]
    for question in QUESTIONS
    if not question.key.startswith(("share_", "offline_", "size_", "odd_"))
}


def manners(number: int) -> dict[str, Any]:
    """Of each switch the so-manieth setting that is not assumed; the last where there are fewer."""
    return {key: others[: number + 1][-1] for key, others in HANDLED.items() if others}


@pytest.mark.parametrize("number", range(max(map(len, HANDLED.values()))))
async def test_versions_and_a_re_export_arrive_in_order(
    number: int, loopback_studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    from postflow.flows.deliver import deliver

    world.turn(**manners(number), fetch_attempts=1, fetch_idle_timeout=2.0, part_url_seconds=900)
    for version, extra in ((2, 0), (1, 0), (1, 64)):
        clip = make_clip(f"SQ07_UNDLM_00152_v{version:03}.mov", extra=extra)
        await deliver(clip, studio=loopback_studio)

    assets = world.assets()
    assert len({asset["stack"] for asset in assets}) == 1
    ordered = sorted(assets, key=lambda asset: int(asset["position"]))
    assert [each["name"].partition("_v")[2][:3] for each in ordered] == ["001", "001", "002"]
    assert endings(world) == [READY] * 3
