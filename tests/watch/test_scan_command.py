"""`postflow scan`: what would become of each file, and nothing is done."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from pydantic import SecretStr

from postflow.cli.scan import one_of, tell_gone, tell_prospects
from postflow.cli.watch import enrol
from postflow.errors import Fatal
from postflow.folder.enrolment import folders_away, restore
from postflow.folder.root import MARKER, read_mark
from postflow.folder.scanner import sightings_in
from postflow.ledger import Ledger, Phase, export, observations, queries, roots
from postflow.media.ignore import SHIPPED_ONLY
from postflow.naming import Naming
from postflow.sandbox.clips import clip_path
from postflow.service.console import Exit
from postflow.service.prospects import look
from postflow.settings import Watching
from tests.ledger.ground import set_aside
from tests.support.marked import mark_root

GOOD, BAD = "SQ07_UNDLM_00152_v003.mov", "final final.mov"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "show"
    folder.mkdir()
    mark_root(folder)
    shutil.copy(clip_path(), folder / GOOD)
    for name in (BAD, "notes.txt"):
        (folder / name).write_bytes(b"x")
    return folder


@pytest.fixture
def ledger(tmp_path: Path, folder: Path) -> Iterator[Ledger]:
    """The folder is enrolled for the studio `main`."""
    with Ledger.open(tmp_path / "ledger.db") as opened:
        roots.add(opened, "main", folder, read_mark(folder).id)
        yield opened


def test_each_file_is_told_what_would_become_of_it(
    ledger: Ledger, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_prospects(look(ledger, "main", folder, Naming.preset("undlm")))
    assert sum(queries.counts(ledger).values()) == queries.counts(ledger)[Phase.DELIVERED] == 0
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


def test_before_the_first_start_the_clips_are_shown_and_that_a_person_will_be_asked(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / MARKER).unlink()
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        found = look(ledger, "main", folder, Naming.preset("undlm"))
        tell_prospects(found)
    said = capsys.readouterr()
    assert f"asked     {GOOD}  to 2_FROM_ANIM/SQ07/UNDLM_00152" in said.out
    assert {each.file: each.what for each in found if each.file != GOOD} == {
        BAD: "skip",
        "notes.txt": "no clip",
    }
    assert "not enrolled yet" in said.err
    assert "--backfill all, none or since:" in said.err
    assert not (folder / MARKER).exists()


def test_a_folder_that_another_studio_has_enrolled_is_asked_about_and_nothing_is_written_down(
    ledger: Ledger, folder: Path
) -> None:
    before = list(export.lines(ledger))[1:]
    found = look(ledger, "second", folder, Naming.preset("undlm"))
    assert {each.what for each in found} == {"asked", "skip", "no clip"}
    assert list(export.lines(ledger))[1:] == before


@pytest.mark.parametrize("mark", [None, '{"id": "another"}'])
def test_a_folder_whose_volume_is_away_has_no_prospects_and_status_and_scan_say_so(
    mark: str | None, ledger: Ledger, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / MARKER).unlink()
    if mark:
        (folder / MARKER).write_text(mark)
    assert look(ledger, "main", folder, Naming.preset("undlm")) == []
    said = " ".join(capsys.readouterr().err.split())
    assert f"{folder} is not there" in said
    (away,) = asyncio.run(folders_away(ledger, "main", [folder]))
    assert away.message in said
    assert ("another volume" in away.message) == bool(mark)
    assert f"postflow scan --restore-marker {folder}" in away.hint

    restore(ledger, "main", folder)

    assert asyncio.run(folders_away(ledger, "main", [folder])) == []
    assert len(look(ledger, "main", folder, Naming.preset("undlm"))) == 3


@pytest.mark.parametrize("is_away", [True, False])
def test_a_script_learns_by_the_exit_code_that_a_folder_could_not_be_enrolled(
    is_away: bool, ledger: Ledger, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_away:
        (folder / MARKER).unlink()
    watching, where = Watching(folders=(folder,)), SecretStr(str(tmp_path / "ledger.db"))
    block = SimpleNamespace(document_name="main", watching=watching, ledger=where)
    monkeypatch.setattr("postflow.cli.watch.prepared_studio", lambda _: block)
    code = 0
    try:
        enrol("main", "all", take_over=False)
    except typer.Exit as ended:
        code = ended.exit_code
    assert code == (Exit.RETRY if is_away else 0)


def test_a_folder_that_was_never_watched_has_no_marker_to_restore(
    ledger: Ledger, tmp_path: Path
) -> None:
    with pytest.raises(Fatal) as unknown:
        restore(ledger, "main", tmp_path)
    assert unknown.value.code == "scan.root_missing"


def test_what_is_known_is_told_as_known_and_what_changed_as_to_be_delivered(
    tmp_path: Path, folder: Path
) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        root = roots.add(ledger, "main", folder, read_mark(folder).id)
        observations.observe(ledger, root, sightings_in(folder))
        set_aside(ledger, root)
        told = [look(ledger, "main", folder, Naming.preset("undlm"))]
        with (folder / GOOD).open("ab") as clip:
            clip.write(b"\0\0\0\x08free")
        told.append(look(ledger, "main", folder, Naming.preset("undlm")))
    assert [each.what for found in told for each in found if each.file == GOOD] == [
        "known",
        "deliver",
    ]


def test_a_clip_that_is_not_whole_is_waited_for_and_told_why(ledger: Ledger, folder: Path) -> None:
    whole = clip_path().read_bytes()
    (folder / GOOD).write_bytes(whole[: len(whole) // 2])
    found = {each.file: each for each in look(ledger, "main", folder, Naming.preset("undlm"))}
    assert found[GOOD].what == "wait"
    assert found[GOOD].where.startswith("it ")


def test_many_files_that_vanished_are_told_with_the_command_that_says_they_are_gone(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [folder / f"SQ07_UNDLM_{number:05}_v001.mov" for number in range(40)]
    for clip in clips:
        clip.write_bytes(b"x")
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        root = roots.add(ledger, "second", folder, read_mark(folder).id)
        observations.observe(ledger, root, sightings_in(folder))
        for clip in clips:
            clip.unlink()
        assert look(ledger, "second", folder, Naming.preset("undlm")) == []
        told = " ".join(capsys.readouterr().err.split())
        assert f"postflow scan --accept-vanished {folder} --studio second" in told
        tell_gone(ledger, "second", folder, SHIPPED_ONLY)
        assert f"Taken for gone in {folder}: 40." in capsys.readouterr().out
        assert len(look(ledger, "second", folder, Naming.preset("undlm"))) == 3


def test_only_a_watch_folder_of_the_studio_can_have_lost_files(
    tmp_path: Path, folder: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert one_of([folder], link) == folder
    with pytest.raises(typer.BadParameter, match="is no watch folder"):
        one_of([folder], tmp_path)
