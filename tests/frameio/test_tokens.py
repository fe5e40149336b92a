"""Token pairs on disk and in text."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from postflow.errors import Fatal
from postflow.frameio.auth.tokens import FileTokenStore, MemoryTokenStore, Tokens, write_privately

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


async def test_a_file_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "deep" / "tokens.json")
    assert await store.load() is None
    for tokens in (pair(), pair("second", None)):
        await store.save(tokens)
        assert await store.load() == tokens


async def test_a_memory_store_gives_back_what_it_was_given() -> None:
    store, tokens = MemoryTokenStore(), pair()
    await store.save(tokens)
    assert await store.load() == tokens


async def test_only_the_owner_can_read_the_file_and_no_draft_stays_behind(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text("old")
    path.chmod(0o644)
    await FileTokenStore(path).save(pair())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert inside(tmp_path) == [path]


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_privately(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_privately(path, "half \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{", '{"access_token": "canary-9f3a"}'])
async def test_a_damaged_file_says_what_to_do_without_its_content(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(text)
    with pytest.raises(Fatal) as raised:
        await FileTokenStore(path).load()
    assert raised.value.code == "adobe.tokens_unreadable"
    assert "postflow login" in raised.value.hint
    assert CANARY not in f"{raised.value} {raised.value.__cause__}"


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
