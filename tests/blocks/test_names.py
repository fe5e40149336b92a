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
)
from postflow.errors import Fatal
from postflow.settings import RetryPolicy, Watching
from postflow.state import meant_studio

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


@pytest.mark.parametrize(
    ("known", "meant"),
    [(["north"], "north"), (["main", "north"], "main"), ([], None), (["north", "south"], None)],
)
def test_who_names_no_studio_means_main_or_the_only_one(known: list[str], meant: str) -> None:
    if meant:
        assert meant_studio(known) == meant
        return
    with pytest.raises(Fatal) as refused:
        meant_studio(known)
    assert refused.value.code == ("studio.several" if known else "studio.missing")
    assert all(name in refused.value.message for name in known)
    assert known or "postflow up --join URL" in refused.value.hint
