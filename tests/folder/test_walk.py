"""What a scan reports, and what it costs."""

from __future__ import annotations

import os
import socket
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from postflow.folder.root import MARKER
from postflow.folder.scanner import Scanner
from postflow.media.sighting import is_partial
from tests.folder.ground import Studio, a_local_disk, a_network_mount, relpaths, remembered
from tests.support.marked import mark_root


def test_a_new_file_is_reported_once_as_new_and_then_as_unsettled(
    studio: Studio, scanner: Scanner
) -> None:
    path = studio.write("SQ01/clip.mov", b"12345")
    first = studio.scanned(scanner)
    (sighting,) = first.new
    assert (sighting.relpath, sighting.path, sighting.size) == ("SQ01/clip.mov", path, 5)
    assert sighting.mtime_ns == path.stat().st_mtime_ns
    second = studio.scanned(scanner)
    assert second.new == ()
    assert second.changed == ()
    assert relpaths(second.unsettled) == ["SQ01/clip.mov"]


def test_growth_is_seen_although_the_directory_does_not_change(
    studio: Studio, scanner: Scanner
) -> None:
    path = studio.write("clip.mov", b"1")
    for _ in range(3):
        studio.scanned(scanner)
    with path.open("ab") as file:
        file.write(b"2345")
    result = studio.scanned(scanner)
    assert [sighting.size for sighting in result.changed] == [5]


def test_a_file_at_rest_is_reported_again_only_when_a_full_scan_finds_it_changed(
    studio: Studio, scanner: Scanner
) -> None:
    path = studio.write("clip.mov", b"1")
    studio.believed(scanner)
    assert studio.scanned(scanner).seen == ()
    with path.open("ab") as file:
        file.write(b"2345")
    result = studio.scanned(scanner, full=True)
    assert relpaths(result.changed) == ["clip.mov"]
    assert relpaths(studio.scanned(scanner).unsettled) == ["clip.mov"]


def test_a_full_scan_comes_by_itself_after_a_while(studio: Studio, scanner: Scanner) -> None:
    assert studio.scanned(scanner).full
    assert not studio.scanned(scanner).full
    studio.clock.pass_(scanner.file_system.full_every)
    assert studio.scanned(scanner).full


def test_an_overwritten_name_is_changed_and_not_new(studio: Studio, scanner: Scanner) -> None:
    studio.write("clip.mov", b"old")
    studio.believed(scanner)
    studio.write("clip.mov.part", b"new export").rename(studio.root / "clip.mov")
    result = studio.scanned(scanner)
    assert result.new == ()
    assert [sighting.size for sighting in result.changed] == [10]
    assert result.gone == ()


def test_a_directory_moved_in_whole_is_looked_through(
    studio: Studio, scanner: Scanner, tmp_path: Path
) -> None:
    studio.believed(scanner)
    card = tmp_path / "card"
    (card / "A" / "B").mkdir(parents=True)
    (card / "A" / "B" / "clip.mov").write_bytes(b"clip")
    card.rename(studio.root / "card")
    assert relpaths(studio.scanned(scanner).new) == ["card/A/B/clip.mov"]


def test_a_deleted_directory_takes_all_its_files_along(studio: Studio, scanner: Scanner) -> None:
    path = studio.write("SQ01/sub/one.mov")
    studio.write("SQ01/two.mov")
    studio.write("SQ02/three.mov")
    studio.believed(scanner)
    path.unlink()
    path.parent.rmdir()
    (studio.root / "SQ01" / "two.mov").unlink()
    (studio.root / "SQ01").rmdir()
    result = studio.scanned(scanner)
    assert sorted(result.gone) == ["SQ01/sub/one.mov", "SQ01/two.mov"]
    assert result.known == 1
    assert studio.scanned(scanner).gone == ()


def test_only_directories_that_changed_are_listed_again(
    studio: Studio, scanner: Scanner, read_calls: Callable[[], list[str]]
) -> None:
    studio.fill(100, folders=20)
    studio.believed(scanner)
    read_calls()
    studio.scanned(scanner)
    assert read_calls() == []
    studio.write("SQ07/late.mov")
    studio.scanned(scanner)
    assert read_calls() == [str(studio.root / "SQ07")]


def test_a_directory_is_listed_until_its_clock_has_moved_on(
    studio: Studio, read_calls: Callable[[], list[str]]
) -> None:
    """Two changes within one tick leave the same mtime: the second must not be missed."""
    studio.write("SQ01/one.mov")
    scanner = Scanner(studio.root, clock=studio.clock, file_system=a_local_disk)
    scanner.scan()
    folder = studio.root / "SQ01"
    read_calls()
    scanner.scan()
    assert str(folder) in read_calls()
    studio.scanned(scanner)
    read_calls()
    studio.scanned(scanner)
    assert read_calls() == []


def test_a_file_added_behind_a_restored_mtime_is_found(studio: Studio, scanner: Scanner) -> None:
    """rsync -a and cp -a set a directory's mtime back after filling it."""
    studio.write("SQ01/one.mov")
    studio.believed(scanner)
    folder = studio.root / "SQ01"
    before = folder.stat()
    studio.write("SQ01/two.mov")
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert relpaths(studio.scanned(scanner).new) == ["SQ01/two.mov"]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.mov",
        "._clip.mov",
        "clip.mov.tmp",
        "clip.mov.PART",
        "clip.mov.partial",
        "clip.mov.crdownload",
        "clip.mov~",
        "clip.mov.lock",
        "clip_conflicted.mov",
        ".snapshot/clip.mov",
        "lost+found/clip.mov",
        "@eaDir/clip.mov",
        "Thumbs.db",
        f"{MARKER}.new",
    ],
)
def test_names_that_are_never_a_clip_are_ignored(
    studio: Studio, scanner: Scanner, name: str
) -> None:
    studio.write(name)
    studio.write("clip.mov")
    result = studio.scanned(scanner)
    assert relpaths(result.new) == ["clip.mov"]
    assert result.known == 1


def test_an_empty_file_is_no_clip_until_it_has_content(studio: Studio, scanner: Scanner) -> None:
    path = studio.write("clip.mov", b"")
    for _ in range(3):
        assert studio.scanned(scanner).seen == ()
    path.write_bytes(b"clip")
    assert relpaths(studio.scanned(scanner).new) == ["clip.mov"]


def test_a_name_in_decomposed_form_has_a_composed_key_and_can_be_opened(
    studio: Studio, scanner: Scanner
) -> None:
    on_disk = unicodedata.normalize("NFD", "Größe/é.mov")
    studio.write(on_disk)
    (sighting,) = studio.scanned(scanner).new
    assert sighting.relpath == unicodedata.normalize("NFC", on_disk)
    assert sighting.path.read_bytes() == b"clip"


def test_two_names_that_differ_only_in_normalisation_are_told(
    studio: Studio, scanner: Scanner
) -> None:
    for form in ("NFC", "NFD"):
        studio.write(unicodedata.normalize(form, "é.mov"), form.encode())
    result = studio.scanned(scanner)
    (sighting,) = result.new
    assert sighting.path.name == unicodedata.normalize("NFC", "é.mov")
    assert ["accents" in problem.what for problem in result.problems] == [True]
    assert not is_partial(result.problems)


def test_a_name_that_is_not_text_is_told_and_the_rest_still_seen(
    studio: Studio, scanner: Scanner
) -> None:
    raw = os.fsencode(studio.root) + b"/bad\xff\xfe.mov"
    with open(raw, "wb") as file:  # noqa: PTH123 - a Path cannot be made of bytes
        file.write(b"clip")
    studio.write("good.mov")
    result = studio.scanned(scanner)
    assert relpaths(result.new) == ["good.mov"]
    (problem,) = result.problems
    assert problem.where.endswith(r"bad\xff\xfe.mov")
    assert not is_partial(result.problems)


def test_hostile_names_do_no_harm(studio: Studio, scanner: Scanner) -> None:
    names = ["a\nb.mov", "$(reboot).mov", "-rf.mov", "a\\..\\b.mov", "x" * 250 + ".mov", " .mov"]
    for name in names:
        studio.write(name)
    assert relpaths(studio.scanned(scanner).new) == sorted(names)


def test_symbolic_links_and_devices_are_not_followed(
    studio: Studio, scanner: Scanner, tmp_path: Path
) -> None:
    """Neither out of the root, nor within it: there the file is seen under its own name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mov").write_bytes(b"secret")
    real = studio.write("SQ01/real.mov")
    (studio.root / "out").symlink_to(outside)
    (studio.root / "secret.mov").symlink_to(outside / "secret.mov")
    (studio.root / "latest.mov").symlink_to(real)
    (studio.root / "SQ01" / "loop").symlink_to(studio.root)
    (studio.root / "dangling.mov").symlink_to("nowhere")
    os.mkfifo(studio.root / "pipe.mov")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(studio.root / "s.mov"))
        result = studio.scanned(scanner)
    assert relpaths(result.new) == ["SQ01/real.mov"]
    assert result.problems == ()


def test_a_deep_tree_is_looked_through(studio: Studio, scanner: Scanner) -> None:
    relpath = "/".join(["d"] * 400) + "/clip.mov"
    studio.write(relpath)
    assert relpaths(studio.scanned(scanner).new) == [relpath]


def test_a_root_within_a_root_is_left_to_its_own_scanner(studio: Studio, scanner: Scanner) -> None:
    inner = studio.root / "other"
    studio.write("other/clip.mov")
    studio.write("clip.mov")
    mark_root(inner)
    result = studio.scanned(scanner)
    assert relpaths(result.new) == ["clip.mov"]
    assert [problem.where for problem in result.problems] == [str(inner)]
    other = Scanner(inner, clock=studio.clock, file_system=a_local_disk)
    assert relpaths(studio.scanned(other).new) == ["clip.mov"]


def test_files_known_from_an_earlier_life_are_not_new(studio: Studio) -> None:
    same = studio.write("SQ01/same.mov")
    studio.write("SQ01/rewritten.mov", b"now longer")
    studio.write("SQ02/new.mov")
    known = [
        remembered("SQ01/same.mov", same.stat().st_size, same.stat().st_mtime_ns),
        remembered("SQ01/rewritten.mov", 3, 5),
        remembered("SQ03/deleted.mov", 3, 5),
    ]
    scanner = Scanner(studio.root, known=known, clock=studio.clock, file_system=a_local_disk)
    result = studio.scanned(scanner)
    assert relpaths(result.new) == ["SQ02/new.mov"]
    assert relpaths(result.changed) == ["SQ01/rewritten.mov"]
    assert result.gone == ("SQ03/deleted.mov",)


SECOND = 10**9
NOON = 1_795_000_000 * SECOND


@pytest.mark.parametrize(
    ("before", "found", "is_changed"),
    [
        pytest.param(NOON + 123_456_700, NOON, False, id="whole-seconds"),
        pytest.param(NOON + SECOND, NOON + 1_900_000_001, False, id="and-back"),
        pytest.param(NOON + SECOND + 500, NOON + 2 * SECOND, False, id="fat-rounds-up"),
        pytest.param(NOON + 123_456_789, NOON + 123_456_700, False, id="100-ns"),
        pytest.param(NOON + 123_456_789, NOON + 123_456_889, True, id="as-precise-and-later"),
        pytest.param(NOON, NOON + SECOND, True, id="seconds-that-differ"),
        pytest.param(NOON + SECOND, NOON + 2_000_000_001, True, id="a-second-later"),
        pytest.param(NOON, NOON + 2_000_000_001, True, id="two-seconds-later"),
    ],
)
def test_an_mtime_that_another_host_saw_more_precisely_is_no_change(
    studio: Studio, before: int, found: int, is_changed: bool
) -> None:
    path = studio.write("a.mov")
    os.utime(path, ns=(found, found))
    if path.stat().st_mtime_ns != found:
        pytest.skip("this file system holds no nanoseconds")
    known = [remembered("a.mov", path.stat().st_size, before)]
    result = studio.scanned(Scanner(studio.root, known=known, clock=studio.clock))
    assert relpaths(result.changed) == (["a.mov"] if is_changed else [])


def test_a_file_stirred_up_is_reported_again(studio: Studio, scanner: Scanner) -> None:
    studio.write("clip.mov")
    studio.believed(scanner)
    scanner.unsettle(["clip.mov", "never/there.mov"])
    assert relpaths(studio.scanned(scanner).unsettled) == ["clip.mov"]


def test_on_a_network_mount_a_directory_is_doubted_for_longer(
    studio: Studio, read_calls: Callable[[], list[str]]
) -> None:
    studio.write("SQ01/one.mov")
    scanner = Scanner(studio.root, clock=studio.clock, file_system=a_network_mount)
    scanner.scan()
    studio.clock.pass_(10)
    read_calls()
    scanner.scan()
    assert str(studio.root / "SQ01") in read_calls()
