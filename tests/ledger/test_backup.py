"""A ledger is copied while it is used, and the copy is put back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from postflow.errors import Fatal
from postflow.ledger import Ledger, queries, roots
from postflow.ledger.backup import back_up, file_of, restore
from tests.ledger.ground import add


def names(path: Path) -> list[str]:
    with Ledger.open(path) as ledger:
        return sorted(clip.relpath for clip in queries.rows(ledger))


def test_a_copy_has_what_is_only_in_the_log_yet_and_is_put_back_whole(tmp_path: Path) -> None:
    live, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    with Ledger.open(live) as ledger:
        root = roots.add(ledger, "main", tmp_path)
        add(ledger, root, "a.mov")
        assert live.with_name("ledger.db-wal").stat().st_size
        back_up(live, copy)
        add(ledger, root, "b.mov", content="b")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.glob("*copy*")) == ["copy.db"]

    with Ledger.open(live):  # a log is there, whose pages would be taken for the copy's
        before = restore(copy, live)
    assert before
    assert (names(live), names(before), names(copy)) == (["a.mov"], ["a.mov", "b.mov"], ["a.mov"])


def test_it_is_put_where_nothing_was(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "old.db") as ledger:
        identity = roots.ledger_id(ledger)
    back_up(tmp_path / "old.db", tmp_path / "copy.db")
    assert restore(tmp_path / "copy.db", tmp_path / "new.db") is None
    with Ledger.open(tmp_path / "new.db") as ledger:
        assert roots.ledger_id(ledger) == identity, "watch folders know it"


def cut(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:9000])


def empty(copy: Path) -> None:
    copy.write_bytes(b"")


def other(copy: Path) -> None:
    copy.write_text("no database" * 1000)


@pytest.mark.parametrize("spoil", [cut, empty, other])
def test_what_is_no_whole_ledger_replaces_none(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    live, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    with Ledger.open(live) as ledger:
        add(ledger, roots.add(ledger, "main", tmp_path), "a.mov")
    back_up(live, copy)
    spoil(copy)
    with pytest.raises(Fatal) as refused:
        restore(copy, live)
    assert refused.value.code == "ledger.damaged"
    assert names(live) == ["a.mov"]


def test_a_database_has_a_backup_of_its_own() -> None:
    with pytest.raises(Fatal) as refused:
        file_of(SecretStr("postgresql://db.example/postflow"))
    assert refused.value.code == "ledger.no_file"
