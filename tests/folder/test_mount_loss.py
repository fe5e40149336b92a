"""A volume that goes away is not a mass delete, and one that comes back is not a mass of news."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from postflow.folder.root import MARKER
from postflow.folder.scanner import Scanner
from postflow.media.sighting import Abandoned, Offline, Scanned, is_partial
from postflow.media.volume import FileSystem
from tests.folder.ground import Clock, Studio, a_local_disk, relpaths, too_deep
from tests.folder.mounts import Mount
from tests.support.marked import mark_root

FILES = 1000
TIMES = 20


def assert_nothing_follows(result: object) -> None:
    """A scan of a volume that came back: nothing new, nothing changed, nothing gone."""
    assert isinstance(result, Scanned), result
    assert (result.new, result.changed, result.gone, result.problems) == ((), (), (), ())
    assert result.known == FILES


@pytest.mark.parametrize("empty_directory_left", [True, False])
def test_a_thousand_files_survive_twenty_disappearances_of_their_folder(
    studio: Studio, scanner: Scanner, tmp_path: Path, empty_directory_left: bool
) -> None:
    studio.fill(FILES)
    studio.believed(scanner)
    elsewhere = tmp_path / "elsewhere"
    for _ in range(TIMES):
        studio.root.rename(elsewhere)
        if empty_directory_left:
            studio.root.mkdir()
        for _ in range(2):
            studio.clock.pass_(60)
            assert isinstance(scanner.scan(), Offline)
        if empty_directory_left:
            studio.root.rmdir()
        elsewhere.rename(studio.root)
        studio.clock.pass_(60)
        assert_nothing_follows(scanner.scan())


def test_a_thousand_files_survive_twenty_unmounts_of_a_fuse_volume(
    fuse: Mount, clock: Clock
) -> None:
    mark_root(fuse.point)
    studio = Studio(fuse.point, clock)
    studio.fill(FILES)
    scanner = Scanner(fuse.point, clock=clock)
    assert scanner.file_system.kind == "network"
    studio.believed(scanner)
    for _ in range(TIMES):
        fuse.unmount()
        clock.pass_(60)
        offline = scanner.scan()
        assert isinstance(offline, Offline)
        assert MARKER in offline.reason
        fuse.mount()
        clock.pass_(60)
        assert_nothing_follows(scanner.scan())


def test_a_killed_fuse_process_is_offline_and_heals_by_a_new_mount(
    fuse: Mount, clock: Clock
) -> None:
    mark_root(fuse.point)
    studio = Studio(fuse.point, clock)
    studio.fill(FILES)
    scanner = Scanner(fuse.point, clock=clock)
    studio.believed(scanner)
    fuse.kill()
    clock.pass_(60)
    assert isinstance(scanner.scan(), Offline)
    fuse.unmount()
    fuse.mount()
    clock.pass_(60)
    assert_nothing_follows(scanner.scan())


def test_a_dead_mount_below_the_root_hides_files_and_deletes_none(
    fuse: Mount, clock: Clock
) -> None:
    """The marker is on the healthy part, so only the error itself keeps conclusions away."""
    studio = Studio(fuse.point.parent, clock)
    mark_root(studio.root)
    for index in range(5):
        studio.write(f"point/clip{index}.mov")
        studio.write(f"disk/clip{index}.mov")
    scanner = Scanner(studio.root, clock=clock, file_system=a_local_disk)
    first = studio.scanned(scanner)
    assert len([name for name in relpaths(first.new) if name.startswith("point/")]) == 5
    fuse.kill()
    (studio.root / "disk" / "clip0.mov").unlink()
    studio.write("disk/late.mov")
    result = studio.scanned(scanner)
    assert is_partial(result.problems)
    assert result.gone == ()
    assert relpaths(result.new) == ["disk/late.mov"]
    fuse.unmount()
    fuse.mount()
    healed = studio.scanned(scanner)
    assert not is_partial(healed.problems)
    assert healed.new == ()
    assert healed.gone == ("disk/clip0.mov",)


def test_a_directory_that_cannot_be_read_stops_conclusions_until_it_can(
    studio: Studio, scanner: Scanner
) -> None:
    """A path beyond the kernel's limit fails for everybody, the superuser too."""
    studio.write("SQ01/one.mov")
    studio.write("SQ01/two.mov")
    studio.believed(scanner)
    scanner.unsettle(["SQ01/one.mov", "SQ01/two.mov"])
    too_deep(studio.root / "deep")
    (studio.root / "SQ01" / "one.mov").unlink()
    for _ in range(2):
        result = studio.scanned(scanner)
        assert is_partial(result.problems)
        assert "too long" in result.problems[0].what
        assert result.gone == ()
        assert result.known == 2
        assert relpaths(result.seen) == ["SQ01/two.mov"]
    shutil.rmtree(studio.root / "deep")
    result = studio.scanned(scanner)
    assert not is_partial(result.problems)
    assert result.gone == ("SQ01/one.mov",)


def test_too_much_vanishing_at_once_is_not_believed(studio: Studio, scanner: Scanner) -> None:
    studio.fill(100)
    studio.believed(scanner)
    for index in range(4):
        (studio.root / f"SQ{index:02}").rename(studio.root / f".hidden{index}")
    studio.write("SQ09/late.mov")
    result = studio.scanned_anything(scanner)
    assert isinstance(result, Abandoned)
    assert (result.vanished, result.known) == (40, 100)
    for index in range(4):
        (studio.root / f".hidden{index}").rename(studio.root / f"SQ{index:02}")
    healed = studio.scanned(scanner)
    assert relpaths(healed.new) == ["SQ09/late.mov"]
    assert healed.gone == ()


def test_a_person_can_say_that_the_vanished_files_are_really_gone(
    studio: Studio, scanner: Scanner
) -> None:
    studio.fill(100)
    studio.believed(scanner)
    for index in range(4):
        shutil.rmtree(studio.root / f"SQ{index:02}")
    for _ in range(2):
        assert isinstance(studio.scanned_anything(scanner), Abandoned)
    result = scanner.scan(believe=True)
    assert isinstance(result, Scanned)
    assert len(result.gone) == 40
    assert result.known == 60
    for index in range(4, 8):
        shutil.rmtree(studio.root / f"SQ{index:02}")
    assert isinstance(studio.scanned_anything(scanner), Abandoned), "was accepted for one time only"


@pytest.mark.parametrize(("known", "deleted"), [(30, 20), (100, 30)])
def test_an_ordinary_clean_up_is_believed(
    studio: Studio, scanner: Scanner, known: int, deleted: int
) -> None:
    """Up to 20 files, or up to 30 % of many."""
    studio.fill(known, folders=1)
    studio.believed(scanner)
    for index in range(deleted):
        (studio.root / f"SQ00/clip{index:04}.mov").unlink()
    assert len(studio.scanned(scanner).gone) == deleted


def test_a_folder_moved_within_the_root_is_no_mass_delete(studio: Studio, scanner: Scanner) -> None:
    studio.fill(100, folders=1)
    studio.believed(scanner)
    (studio.root / "SQ00").rename(studio.root / "SQ00_OLD")
    result = studio.scanned(scanner)
    assert len(result.gone) == 100
    assert len(result.new) == 100


def test_another_volume_in_the_same_place_is_offline(
    studio: Studio, tmp_path: Path, clock: Clock
) -> None:
    mark = mark_root(studio.root)
    studio.write("clip.mov")
    scanner = Scanner(studio.root, mark=mark, clock=clock, file_system=a_local_disk)
    studio.scanned(scanner)
    studio.root.rename(tmp_path / "elsewhere")
    studio.root.mkdir()
    mark_root(studio.root)
    result = scanner.scan()
    assert isinstance(result, Offline)
    assert "another volume" in result.reason


def test_a_volume_that_goes_away_during_the_scan_leaves_no_conclusion(
    studio: Studio, tmp_path: Path, clock: Clock
) -> None:
    """The marker is looked for again at the end."""
    studio.fill(10)
    looks = 0

    def unmount_in_second_scan(path: Path) -> FileSystem:
        """Called once when the scanner is made, and then in every full scan."""
        nonlocal looks
        looks += 1
        if looks == 3:
            path.rename(tmp_path / "elsewhere")
            path.mkdir()
        return a_local_disk(path)

    scanner = Scanner(studio.root, clock=clock, file_system=unmount_in_second_scan)
    assert len(studio.scanned(scanner, full=True).new) == 10
    assert isinstance(scanner.scan(full=True), Offline)
    assert len(scanner.everything()) == 10
