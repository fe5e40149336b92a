"""Names of ours that nobody else has, and names of studios that nobody has."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from pydantic import BaseModel

from postflow.blocks import (
    AdobeTokens,
    DiscordWebhook,
    FrameioAccount,
    Host,
    Studio,
    Tunnel,
    load_studio,
)
from postflow.errors import Fatal
from postflow.settings import RetryPolicy, Watching

BLOCKS = (Studio, Host, FrameioAccount, AdobeTokens, Tunnel, DiscordWebhook)


def test_no_integration_in_prefects_catalogue_has_our_names() -> None:
    """Somebody may install any of them on the server that we use."""
    theirs = _catalogue()
    assert "aws-credentials" in theirs
    assert not {block.get_block_type_slug() for block in BLOCKS} & set(theirs)
    assert not {block.get_block_type_name() for block in BLOCKS} & set(theirs.values())


def _catalogue() -> dict[str, str]:
    text = (files("prefect.server") / "collection_blocks_data.json").read_text(encoding="utf-8")
    collections: dict[str, dict[str, dict[str, Any]]] = json.loads(text)["collections"]
    return {
        slug: block["name"]
        for collection in collections.values()
        for slug, block in collection["block_types"].items()
    }


@pytest.mark.parametrize("part", [Watching, RetryPolicy])
def test_what_a_studio_holds_explains_each_of_its_fields(part: type[BaseModel]) -> None:
    """Prefect's UI shows them below the studio's own."""
    assert [name for name, field in part.model_fields.items() if not field.description] == []


@pytest.mark.prefect
async def test_a_studio_that_nobody_made_is_missed_by_its_name(prefect_api: str) -> None:
    with pytest.raises(Fatal, match="'nowhere'") as missed:
        await load_studio("nowhere")
    assert missed.value.code == "studio.missing"
    assert "postflow setup" in missed.value.hint
