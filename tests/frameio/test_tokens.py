"""Token pairs on disk and in text."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from postflow.frameio.auth.tokens import Tokens
from postflow.state import write_private

CANARY = "canary-9f3a"


def pair(access: str = CANARY, refresh: str | None = f"{CANARY}-refresh") -> Tokens:
    return Tokens(
        access_token=SecretStr(access),
        refresh_token=SecretStr(refresh) if refresh else None,
        expires_at=datetime.now(UTC) + timedelta(hours=24),
        scopes=("openid", "additional_info.roles"),
    )


def inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("tokens", [pair(), pair("second", None)])
def test_a_pair_can_be_read_back_from_what_it_reveals(tokens: Tokens) -> None:
    assert Tokens.model_validate(tokens.reveal()) == tokens


def test_only_the_owner_can_read_the_file_and_no_draft_stays_behind(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert inside(tmp_path) == [path]


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "half \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_representation_shows_a_token() -> None:
    tokens = pair()
    shown = f"{tokens} {tokens!r} {tokens.model_dump_json()} {tokens.refresh_fingerprint}"
    assert CANARY not in shown
    assert CANARY in str(tokens.reveal())


@pytest.mark.parametrize("bad", [f"{CANARY}\n{CANARY}", f"{CANARY} x", "", f"{CANARY}é"])
def test_a_token_that_cannot_be_a_header_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Tokens.model_validate({"access_token": bad, "expires_at": datetime.now(UTC)})
    assert CANARY not in str(raised.value)


def test_white_space_around_a_token_is_dropped() -> None:
    assert pair(" abc\n").access_token.get_secret_value() == "abc"
