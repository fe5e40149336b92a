"""Every code that this package can end in is explained, and so is what Adobe asks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postflow.frameio.auth.login import REDIRECT_URI

ROOT = Path(__file__).parents[2]
CODE = re.compile(r'"((?:adobe|frameio|postflow)\.[a-z_]+)"')
FOUND_BY_NAME = re.compile(r'"frameio\.\{kind\}_([a-z]+)"')


def codes() -> set[str]:
    sources = [path.read_text() for path in (ROOT / "postflow" / "frameio").glob("*.py")]
    text = "\n".join(sources)
    kinds = {
        f"frameio.{kind}_{end}"
        for end in FOUND_BY_NAME.findall(text)
        for kind in ("account", "workspace", "project")
    }
    return set(CODE.findall(text)) | kinds


@pytest.mark.parametrize("code", sorted(codes()))
def test_the_code_is_explained(code: str) -> None:
    pages = [(ROOT / "docs" / page).read_text() for page in ("adobe.md", "errors.md")]
    assert any(f"`{code}`" in page for page in pages)


@pytest.mark.parametrize("scope", ["additional_info.roles", "offline_access", "frame.s2s.all"])
def test_the_scope_is_explained(scope: str) -> None:
    assert f"`{scope}`" in (ROOT / "docs" / "adobe.md").read_text()


def test_the_redirect_uri_is_the_one_we_listen_at() -> None:
    assert REDIRECT_URI in (ROOT / "docs" / "adobe.md").read_text()
