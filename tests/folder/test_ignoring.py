"""What is passed over in a watched folder, and by which rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec
from pydantic import ValidationError

from postflow.folder.scanner import passed_over_in, sightings_in
from postflow.media.ignore import SHIPPED, SHIPPED_ONLY, Ignoring
from postflow.settings import Watching

READINESS = Path(__file__).parents[2] / "docs" / "readiness.md"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (".DS_Store", ".* (hidden)"),
        ("._SQ07_UNDLM_00152_v003.mov", ".* (hidden)"),
        (".SQ07_UNDLM_00152_v003.mov.Xa81b2", ".* (hidden)"),
        *((f"{bin_}/", f"{bin_}/ (storage)") for bin_ in ("@eaDir", "#recycle", "@Recycle")),
        *((f"{bin_}/", f"{bin_}/ (storage)") for bin_ in ("#snapshot", "~snapshot", "@tmp")),
        *((f"{bin_}/", ".* (hidden)") for bin_ in (".snapshot", ".zfs", ".Trashes", ".@__thumb")),
        *((f"{bin_}/", ".* (hidden)") for bin_ in (".stversions", ".dropbox.cache", ".recycle")),
        ("$RECYCLE.BIN/", "$RECYCLE.BIN/ (Windows)"),
        ("System Volume Information/", "System Volume Information/ (Windows)"),
        ("THUMBS.DB", "Thumbs.db (Windows)"),
        ("lost+found/", "lost+found/ (Linux)"),
        ("a.mov.part", "*.part (unfinished)"),
        ("a.mov.8f3a.partial", "*.partial (unfinished)"),
        ("a.!sync", "*.!sync (sync)"),
        ("~syncthing~a.mov.tmp", "*.tmp (unfinished)"),
        ("a.mov.lock", "*.lock (locks)"),
        ("Adobe Premiere Pro Video Previews/", "Adobe Premiere Pro Video Previews/ (Adobe)"),
        ("Media Cache Files/", "Media Cache Files/ (Adobe)"),
        ("a.pek", "*.pek (Adobe)"),
        ("Avid MediaFiles/", "Avid MediaFiles/ (Avid)"),
        ("CacheClip/", "CacheClip/ (Resolve)"),
        ("Film.fcpbundle/", "*.fcpbundle/ (Final Cut)"),
        ("RECYCLED/", "RECYCLED/ (Windows)"),
        ("found.000/", "found.[0-9][0-9][0-9]/ (Windows)"),
        ("@GMT-2026.11.27-10.00.00/", "@GMT-*/ (storage)"),
        ("_NAS_Recycle_RAID/", "_NAS_Recycle_*/ (storage)"),
        *((f"{bin_}/", f"{bin_}/ (storage)") for bin_ in ("Recycle Bin", "trashbox")),
        ("a.mov.download/", "*.download/ (unfinished)"),
        (".~tmp~/", ".* (hidden)"),
        *((f"{folder}/", None) for folder in ("ep.part", "Season 1.tmp", "PICTURE.LOCK")),
        *((f"{folder}/", None) for folder in ("a_conflicted_b", "tmp", "Trash", "Recycle Bins")),
        ("SQ07_UNDLM_00152_v003.mov", None),
        ("SQ07_UNDLM_00152_v003.tmp.mov", None),
        ("@eaDir", None),
        ("recycle/", None),
        ("a.lock.mov", None),
    ],
)
def test_the_shipped_rules_name_themselves(name: str, rule: str | None) -> None:
    bare = name.removesuffix("/")
    assert SHIPPED_ONLY.why(bare, bare, is_folder=name.endswith("/")) == rule


OWN = ("/OLD/", "*_proxy.*", "!*.lock", "WIP/**", "# no", "", r"\#x.mov", "sub/x.mov", "a[12].*")


@pytest.mark.parametrize(
    ("relpath", "over"),
    [
        ("OLD/SQ01/a.mov", True),
        ("old/a.mov", True),
        ("SQ01/OLD/a.mov", False),
        ("SQ01/a_proxy.mov", True),
        ("a.lock", False),
        ("WIP/a.mov", True),
        ("#x.mov", True),
        ("sub/x.mov", True),
        ("x.mov", False),
        ("a1.mov", True),
        ("a3.mov", False),
    ],
)
def test_a_studio_writes_rules_as_for_git(relpath: str, over: bool) -> None:
    """Case does not matter, since it does not on most of the volumes that studios have."""
    assert Ignoring(OWN).passes_over(relpath) == over


@given(
    st.lists(st.text("ab_.*?[]!\\/#~ ", min_size=1, max_size=6), max_size=4),
    st.text("ab_.#~ ", min_size=1, max_size=8),
)
def test_the_quick_look_hides_nothing_from_the_rules(rules: list[str], name: str) -> None:
    """Git's rules as pathspec reads them are what counts."""
    try:
        ignoring = Ignoring(rules)
        lines = [rule for own in SHIPPED.values() for rule in own] + rules
        fits = GitIgnoreSpec.from_lines([line.lower() for line in lines]).match_file(name)
    except ValueError:
        return
    assert ignoring.passes_over(name) == fits or name != name.strip(" .")


@pytest.mark.parametrize("own", [(), ("[q]*",), ("!b.mov",)])
def test_a_clip_is_not_lost_in_a_folder_that_is_called_as_an_unfinished_file(
    own: tuple[str, ...],
) -> None:
    ignoring = Ignoring(own)
    assert not ignoring.passes_over("day.part/Season 1.tmp/a.mov")
    assert ignoring.passes_over("day.part/a.mov.part")
    assert ignoring.passes_over("x.download/a.mov")


def test_a_folder_has_rules_of_its_own_and_nonsense_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    watching = Watching(folders=(one, two), ignore=("*_all.mov",), ignore_in={two: ("*_two.mov",)})
    found = [
        [watching.ignoring(folder).passes_over(name) for name in ("a_all.mov", "a_two.mov")]
        for folder in (one, two)
    ]
    assert found == [[True, False], [True, True]]
    with pytest.raises(ValidationError, match="none of the folders"):
        Watching(folders=(one,), ignore_in={two: ("x",)})
    Watching(folders=(one,), ignore=(r"*_v*_*\**[*]*.mov/*", "# * * * * * * *"))
    for nonsense in ("!", "\\", "[z-a]*", "*a*a*a*a*a*.mov", "*/" * 7):
        with pytest.raises(ValidationError):
            Watching(folders=(one,), ignore=(nonsense,))


def test_what_is_passed_over_is_named_and_nothing_below_it_is_looked_at(tmp_path: Path) -> None:
    for name in ("a.mov", ".DS_Store", "@eaDir/a.mov", "SQ01/b.mov.part", "SQ01/OLD/c.mov"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "link.mov").symlink_to("a.mov")
    ignoring = Ignoring(["OLD/"])
    assert [each.relpath for each in sightings_in(tmp_path, ignoring)] == ["a.mov"]
    assert sorted(passed_over_in(tmp_path, ignoring)) == [
        (".DS_Store", ".* (hidden)"),
        ("@eaDir/", "@eaDir/ (storage)"),
        ("SQ01/OLD/", "OLD/ (the studio's)"),
        ("SQ01/b.mov.part", "*.part (unfinished)"),
        ("link.mov", "it is a link, a pipe, a socket or a device, not a file"),
    ]


def test_the_docs_list_every_shipped_rule() -> None:
    text = READINESS.read_text(encoding="utf-8")
    rules = [rule.replace("\\", "") for rules in SHIPPED.values() for rule in rules]
    assert [rule for rule in rules if f"`{rule}`" not in text] == []
