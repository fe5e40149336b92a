"""Whatever Frame.io does where no document says it: every clip is delivered, or it is told why not.

Each setting of each of the sandbox's switches is met, those that fit together in one journey.
`odd_names` is of names that no naming rule of ours lets through.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from postflow.errors import PostFlowError
from postflow.models import Transfer
from postflow.sandbox import Sandbox
from postflow.sandbox.switches import FIXED, Switches
from tests.journeys.conftest import MakeClip
from tests.journeys.proof import FAILED, READY, endings, words
from tests.journeys.studios import save

pytestmark = pytest.mark.prefect

LINK = "For everybody with the link"
# Of a world from its beginning; of the sign-in (tests/frameio); of webhooks, which are not used.
ELSEWHERE = (
    FIXED
    | {
        name
        for name in Switches.model_fields
        if name.startswith(("token_", "refresh_", "webhook_"))
        or name in {"code_seconds", "consent"}
    }
    | {"offline_access"}
)
NUMBERS: dict[str, tuple[Any, ...]] = {
    "fetch_attempts": (1,),
    "fetch_pause": (0.3,),
    "fetch_idle_timeout": (2.0,),
    "fetch_rate": (1 << 20,),
    "fetch_user_agent": ("",),
    "fetch_delay": (0.3,),
    "fail_seconds": (0.2,),
    "finish_seconds": (0.3,),
    "transcode_seconds": (0.5,),
    "part_bytes": (60_000,),
    "part_url_seconds": (900,),
    "latency": (0.02,),
    "discord_attachment_limit": (100,),
    "view_base": ("https://next.frame.example",),
}
STAGING: tuple[tuple[int, int, Transfer], ...] = (
    (2, 0, "tunnel"),
    (1, 0, "direct"),
    (1, 64, "tunnel"),
)
# Of one clip, exported anew after so many deliveries of it.
TROUBLES: dict[str, tuple[int, dict[str, Any], str]] = {
    "fetched until it is too big": (0, {"size_limit": 1000}, "frameio.upload_failed"),
    "too big to be fetched": (0, {"size_limit": 1000, "too_big": "refuse"}, "frameio.refused"),
    "no room": (1, {"storage_limit": 200_000}, "frameio.storage_full"),
    "a name is taken": (1, {"duplicate_files": "refuse"}, "frameio.conflict"),
    "no time for a part": (0, {"part_url_seconds": 0}, "frameio.parts_expired"),
}
# Delivered, and told that there is no link.
NO_LINK = ("passphrase", "forbidden")


def others(name: str) -> tuple[Any, ...]:
    """The settings of a switch but for the one that is assumed."""
    field = Switches.model_fields[name]
    settings = (True, False) if field.annotation is bool else get_args(field.annotation)
    return NUMBERS.get(name) or tuple(each for each in settings if each != field.default)


MANNERS = {name: others(name) for name in Switches.model_fields.keys() - ELSEWHERE}
MANNERS["share_policy"] = ("expiration",)


@pytest.fixture
async def studio(nothing_cached: None, world: Sandbox, saved: dict[str, str]) -> str:
    if saved.get("manners") != world.url:
        await save(world, name="manners", provider="loopback", share={"per": "day"})
        saved["manners"] = world.url
    return "manners"


def test_no_switch_is_forgotten() -> None:
    troubles = {name for _, settings, _ in TROUBLES.values() for name in settings}
    assert {name for name, settings in MANNERS.items() if not settings} <= troubles


@pytest.mark.parametrize("number", range(max(map(len, MANNERS.values()))))
async def test_versions_and_a_re_export_arrive_in_order(
    number: int, studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    """Of each switch the so-manieth setting; the last where there are fewer."""
    world.turn(**{name: found[: number + 1][-1] for name, found in MANNERS.items() if found})
    for version, extra, way in STAGING:
        clip = make_clip(f"SQ07_UNDLM_00152_v{version:03}.mov", extra=extra)
        await deliver(clip, studio, way)

    assets = world.assets()
    assert len({asset["stack"] for asset in assets}) == 1
    ordered = sorted(assets, key=lambda asset: int(asset["position"]))
    assert [each["name"].partition("_v")[2][:3] for each in ordered] == ["001", "001", "002"]
    assert endings(world) == [READY] * 3
    assert words(world).count(LINK) == 3


@pytest.mark.parametrize("case", TROUBLES)
async def test_what_cannot_be_delivered_is_told(
    case: str, studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    before, settings, code = TROUBLES[case]
    world.turn(**settings)
    way: Transfer = "tunnel" if "size_limit" in settings else "direct"
    for extra in range(16, 16 + before):
        await deliver(make_clip(extra=extra), studio, way)
    with pytest.raises(PostFlowError) as failure:
        await deliver(make_clip(extra=64), studio, way)
    assert failure.value.code == code
    assert endings(world)[-1] == FAILED


@pytest.mark.parametrize("policy", NO_LINK)
async def test_a_clip_without_a_link_is_delivered(
    policy: str, studio: str, world: Sandbox, make_clip: MakeClip
) -> None:
    world.turn(share_policy=policy)
    await deliver(make_clip(), studio, "direct")
    assert endings(world) == [READY]
    assert "could not be made" in words(world)


async def deliver(clip: Path, studio: str, way: Transfer) -> None:
    from postflow.flows.deliver import deliver

    await deliver(clip, studio=studio, transfer=way)
