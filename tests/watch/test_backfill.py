"""The first look at a folder: what is there is delivered only by a person's word."""

from __future__ import annotations

import os
import pty
import signal
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import typer

from postflow.cli.watch import enrol_folders
from postflow.errors import Fatal
from postflow.folder.root import MARKER
from postflow.folder.scanner import Scanner
from postflow.ledger import Ledger, ObservationState, Phase, Root, observations, queries, roots
from postflow.media.sighting import Offline, Scanned
from postflow.settings import Watching
from tests.support.marked import mark_root

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio

OLD = datetime(2026, 1, 10).astimezone()
NEW = datetime(2026, 3, 10).astimezone()


def studio_of(*folders: Path, ledger: Path) -> Studio:
    """What `enrol` needs of a Studio block."""
    return cast("Studio", SimpleNamespace(watching=Watching(folders=folders), ledger=ledger))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two clips and a note, already there."""
    folder = tmp_path / "show"
    folder.mkdir()
    for name, when in (("old.mov", OLD), ("new.mov", NEW), ("note.txt", NEW)):
        (folder / name).write_bytes(b"x" * 1000)
        os.utime(folder / name, (when.timestamp(), when.timestamp()))
    return folder


@pytest.fixture
def studio(tmp_path: Path, folder: Path) -> Studio:
    return studio_of(folder, ledger=tmp_path / "ledger.db")


def to_come(studio: Studio) -> set[str]:
    """The clips that are looked after, and not set aside."""
    (folder,) = studio.watching.folders
    with Ledger.open(studio.ledger) as ledger:
        root = roots.add(ledger, "main", folder, (mark_root(folder)).id)
        known = observations.known(ledger, root)
    return {each.relpath for each in known if each.state is not ObservationState.ASIDE}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("all", {"old.mov", "new.mov"}),
        ("none", set()),
        ("since:2026-03-10", {"new.mov"}),
        ("since:2026-03-11", set()),
        ("since:2026-01-10", {"old.mov", "new.mov"}),
        ("since:1500-01-01", {"old.mov", "new.mov"}),
        ("since:9000-01-01", set()),
        ("2026-03-10", {"new.mov"}),
        *((word, set()) for word in ("since:yesterday", "yesterday", "since gestern", "Hier")),
        *((word, {"old.mov", "new.mov"}) for word in ("ALL", " ja ", "oui", "y", "Yes", "tout")),
        *((word, set()) for word in ("n", "No", "non", "nein", "rien", "none.")),
    ],
)
def test_a_person_says_what_becomes_of_a_backlog(
    studio: Studio, choice: str, expected: set[str]
) -> None:
    enrol_folders(studio, "main", choice)
    assert to_come(studio) == expected


def test_without_a_word_and_a_terminal_nothing_begins(studio: Studio, folder: Path) -> None:
    with pytest.raises(Fatal) as raised:
        enrol_folders(studio, "main", None)
    assert raised.value.code == "watch.backfill"
    assert "2 clips already (2.0 kB)" in raised.value.message
    assert not (folder / MARKER).exists(), "the question is asked again at the next start"


def test_the_question_at_a_terminal_names_the_backlog_and_is_asked_until_it_is_answered(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers = iter(["perhaps", "last week", "since:", "all of them", "none"])
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(answers))
    enrol_folders(studio, "main", None)
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("does not say which clips to deliver. Choose all, none, or since:") == 4
    assert "holds 2 clips already (2.0 kB)" in told
    assert "until they change: 2 clips" in told


ENROLS = """
import sys
from pathlib import Path
from tests.watch.test_backfill import studio_of, enrol_folders
enrol_folders(studio_of(Path(sys.argv[1]), ledger=Path(sys.argv[2])), "main", None)
"""


def test_who_is_killed_before_the_answer_is_asked_again(studio: Studio, folder: Path) -> None:
    """A terminal that closes, in most cases."""
    pid, terminal = pty.fork()
    if not pid:
        arguments = [sys.executable, "-c", ENROLS, str(folder), str(studio.ledger)]
        os.execv(arguments[0], arguments)
    said = b""
    while b"Deliver them?" not in said:
        said += os.read(terminal, 1000)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    with pytest.raises(Fatal, match="2 clips already"):
        enrol_folders(studio, "main", None)
    enrol_folders(studio, "main", "none")
    assert to_come(studio) == set()


def test_nobody_sees_the_folder_before_the_answer_is_in_the_ledger(
    studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `ingest` run that is under way looks all the time."""
    scanner = Scanner(folder)
    real = roots.enrol

    def enters(*asked: Any, **more: Any) -> int:
        assert isinstance(scanner.scan(), Offline)
        return real(*asked, **more)

    monkeypatch.setattr(roots, "enrol", enters)
    enrol_folders(studio, "main", "none")
    assert isinstance(scanner.scan(), Scanned)


def test_an_unreadable_choice_is_refused_with_the_remedy(studio: Studio, folder: Path) -> None:
    with pytest.raises(Fatal, match="'last week'"):
        enrol_folders(studio, "main", "last week")
    assert not (folder / MARKER).exists()


def test_an_empty_folder_asks_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    enrol_folders(studio_of(empty, ledger=tmp_path / "ledger.db"), "main", None)
    assert (empty / MARKER).exists()


def test_a_folder_that_is_known_is_not_asked_about_again(studio: Studio, folder: Path) -> None:
    enrol_folders(studio, "main", "none")
    (folder / "third.mov").write_bytes(b"x")
    enrol_folders(studio, "main", None)
    assert to_come(studio) == set()


def test_a_second_studio_is_asked_for_itself(studio: Studio, folder: Path) -> None:
    enrol_folders(studio, "main", "none")
    with pytest.raises(Fatal, match="2 clips already"):
        enrol_folders(studio, "second", None)
    enrol_folders(studio, "second", "since:2026-03-10")
    with Ledger.open(studio.ledger) as ledger:
        assert queries.counts(ledger, "main")[Phase.SET_ASIDE] == 2
        assert queries.counts(ledger, "second")[Phase.SET_ASIDE] == 1
        assert len({root.mark for root in roots_of(ledger, folder)}) == 1


def roots_of(ledger: Ledger, folder: Path) -> list[Root]:
    mark = mark_root(folder).id
    found = [roots.find_root(ledger, name, mark) for name in ("main", "second")]
    return [root for root in found if root]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_mount_point_that_has_lost_its_volume_gets_no_marker(
    studio: Studio, folder: Path, is_there: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """As at the boot of a machine whose volumes are mounted late."""
    enrol_folders(studio, "main", "none")
    volume = folder.rename(folder.with_name("elsewhere"))
    if is_there:
        folder.mkdir()
    enrol_folders(studio, "main", "none")
    said = " ".join(capsys.readouterr().err.split())
    assert f"{folder} is not there" in said
    assert "Mount its volume; it goes on by itself." in said
    assert not (folder / MARKER).exists()
    if is_there:
        folder.rmdir()
    volume.rename(folder)
    enrol_folders(studio, "main", None)
    assert capsys.readouterr().err == ""
    assert to_come(studio) == set()


def test_a_studio_without_a_watch_folder_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as raised:
        enrol_folders(studio_of(ledger=tmp_path / "ledger.db"), "main", None)
    assert raised.value.code == "watch.none"


def test_a_volume_that_is_not_mounted_is_no_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as raised:
        enrol_folders(studio_of(tmp_path / "away", ledger=tmp_path / "ledger.db"), "main", "all")
    assert raised.value.code == "scan.root_missing"
