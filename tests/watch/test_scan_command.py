"""`postflow scan`: what would become of each file, and nothing is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postflow.cli.scan import look, tell_prospects
from postflow.ledger import Ledger, Phase
from postflow.naming import Naming
from postflow.scan.root import mark_root

GOOD, BAD = "SQ07_UNDLM_00152_v003.mov", "final final.mov"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "show"
    folder.mkdir()
    mark_root(folder)
    for name in (GOOD, BAD, "notes.txt"):
        (folder / name).write_bytes(b"x")
    return folder


def test_each_file_is_told_what_would_become_of_it(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        tell_prospects(look(ledger, "main", folder, Naming.preset("undlm")))
        assert sum(ledger.counts().values()) == ledger.counts()[Phase.DELIVERED] == 0
    told = capsys.readouterr().out
    assert f"deliver   {GOOD}  to 2_FROM_ANIM/SQ07/UNDLM_00152" in told
    assert f"skip      {BAD}  " in told
    assert "notes.txt" not in told
    assert sorted(told.splitlines()[-1].split(", ")) == ["1 deliver", "1 no clip", "1 skip"]


def test_scripts_read_every_file(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        found = look(ledger, "main", folder, Naming.preset("undlm"))
    tell_prospects(found, json=True)
    document = json.loads(capsys.readouterr().out)
    assert {each["file"] for each in document} == {GOOD, BAD, "notes.txt"}


def test_a_volume_that_is_away_is_told_and_nothing_concluded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert look(ledger, "main", tmp_path / "away", Naming.preset("undlm")) == []
    assert "Mount the volume" in capsys.readouterr().err
