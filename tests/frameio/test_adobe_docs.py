"""What Adobe asks is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.frameio.auth.login import REDIRECT_URI

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("scope", ["additional_info.roles", "offline_access", "frame.s2s.all"])
def test_the_scope_is_explained(scope: str) -> None:
    assert f"`{scope}`" in (ROOT / "docs" / "adobe.md").read_text()


def test_the_redirect_uri_is_the_one_we_listen_at() -> None:
    assert REDIRECT_URI in (ROOT / "docs" / "adobe.md").read_text()
