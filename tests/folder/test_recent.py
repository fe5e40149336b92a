"""Files at rest that are overwritten in place, which leaves their directory as it was."""

from __future__ import annotations

import os
import shutil

from postflow.folder.scanner import MOST, Recent, Scanner
from postflow.folder.survey import as_tree
from postflow.media.sighting import Scanned
from tests.folder.ground import Studio, a_local_disk, a_network_mount, relpaths, remembered
from tests.support.marked import mark_root

OLD = 1_000_000_000 * 10**9


def overwrite(studio: Studio, relpath: str) -> None:
    with (studio.root / relpath).open("r+b") as file:
        file.write(b"a longer export")


def a_full_house(studio: Studio) -> None:
    """One clip that was written long ago, and more newer ones than are looked at."""
    old = studio.write("SQ00/old.mov")
    os.utime(old, ns=(OLD, OLD))
    studio.fill(MOST)


def test_a_clip_written_lately_that_is_overwritten_in_place_is_seen_by_the_next_scan(
    studio: Studio, scanner: Scanner
) -> None:
    a_full_house(studio)
    studio.believed(scanner)
    overwrite(studio, "SQ07/clip0007.mov")
    result = studio.scanned(scanner)
    assert not result.full
    assert relpaths(result.changed) == ["SQ07/clip0007.mov"]
    assert relpaths(studio.scanned(scanner).unsettled) == ["SQ07/clip0007.mov"]


def test_on_a_network_mount_too(studio: Studio) -> None:
    studio.write("clip.mov")
    scanner = Scanner(studio.root, clock=studio.clock, file_system=a_network_mount)
    studio.believed(scanner)
    overwrite(studio, "clip.mov")
    studio.clock.pass_(scanner.file_system.recent_every)
    result = scanner.scan()
    assert isinstance(result, Scanned)
    assert (result.full, relpaths(result.changed)) == (False, ["clip.mov"])


def test_a_clip_among_many_newer_ones_is_seen_when_told_of_and_else_by_a_full_scan(
    studio: Studio, scanner: Scanner
) -> None:
    a_full_house(studio)
    studio.believed(scanner)
    overwrite(studio, "SQ00/old.mov")
    assert studio.scanned(scanner).seen == ()
    studio.clock.pass_(scanner.file_system.recent_every)
    result = scanner.scan(touched=["SQ00/old.mov", "never/there.mov", ""])
    assert isinstance(result, Scanned)
    assert (result.full, relpaths(result.changed)) == (False, ["SQ00/old.mov"])

    scanner.settle(["SQ00/old.mov"])
    os.utime(studio.root / "SQ00/old.mov", ns=(OLD, OLD))
    assert studio.scanned(scanner, full=True).changed != ()


def test_being_told_of_a_file_that_did_not_change_reports_nothing(
    studio: Studio, scanner: Scanner
) -> None:
    studio.write("clip.mov")
    studio.believed(scanner)
    result = scanner.scan(touched=["clip.mov"])
    assert isinstance(result, Scanned)
    assert result.seen == ()


def test_a_clip_that_came_after_the_full_scan_is_looked_at_too(
    studio: Studio, scanner: Scanner
) -> None:
    studio.fill(MOST)
    studio.believed(scanner)
    studio.write("SQ03/late.mov")
    studio.scanned(scanner)
    scanner.settle(["SQ03/late.mov"])
    overwrite(studio, "SQ03/late.mov")
    assert relpaths(studio.scanned(scanner).changed) == ["SQ03/late.mov"]


def test_scans_in_quick_succession_look_at_them_once(studio: Studio, scanner: Scanner) -> None:
    studio.write("clip.mov")
    studio.believed(scanner)
    studio.scanned(scanner)
    overwrite(studio, "clip.mov")
    early = scanner.scan()
    assert isinstance(early, Scanned)
    assert early.seen == ()
    studio.clock.pass_(scanner.file_system.recent_every)
    late = scanner.scan()
    assert isinstance(late, Scanned)
    assert relpaths(late.changed) == ["clip.mov"]


def test_the_frames_of_a_sequence_crowd_out_no_clip() -> None:
    frames = [remembered(f"SQ01/frame.{number:04}.exr", 1, 2000 + number) for number in range(50)]
    recent = Recent(3)
    recent.fill(
        as_tree([remembered("SQ01/a.mov", 1, 1), remembered("b.MXF", 1, 2), *frames], "/mnt/show")
    )
    assert set(recent) == {"SQ01/a.mov", "b.MXF"}


def test_only_the_newest_are_kept() -> None:
    recent = Recent(2)
    recent.fill(
        as_tree([remembered(f"{number}.mov", 1, number) for number in range(5)], "/mnt/show")
    )
    assert set(recent) == {"3.mov", "4.mov"}


def test_a_folder_that_becomes_a_root_of_its_own_takes_its_restless_files_along(
    studio: Studio,
) -> None:
    """They are still where they were, yet no longer below this root."""
    scanner = Scanner(studio.root, clock=studio.clock, file_system=a_local_disk)
    studio.write("other/sub/clip.mov")
    studio.scanned(scanner)
    mark_root(studio.root / "other")
    overwrite(studio, "other/sub/clip.mov")
    result = studio.scanned(scanner)
    assert (result.seen, result.gone) == ((), ("other/sub/clip.mov",))
    shutil.rmtree(studio.root / "other")
    assert studio.scanned(scanner).known == 0
