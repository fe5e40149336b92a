"""What may be sent by somebody who is not at this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.delivery.by_hand import allowed, as_meant
from postflow.errors import Fatal

CLIP = "SQ07_UNDLM_00152_v003.mov"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A watch folder with a clip, and with links to one outside, near another with a like name."""
    for name in ("show", "show/SQ07", "showreel", "private"):
        (tmp_path / name).mkdir()
        (tmp_path / name / CLIP).write_bytes(b"x")
    show = tmp_path / "show"
    (show / "link.mov").symlink_to(tmp_path / "private" / CLIP)
    (show / "linked").symlink_to(tmp_path / "private")
    (show / "inside.mov").symlink_to(show / "SQ07" / CLIP)
    return show


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (CLIP, CLIP),
        (f"SQ07/../SQ07/{CLIP}", f"SQ07/{CLIP}"),
        (f"../show/{CLIP}", CLIP),
        ("inside.mov", f"SQ07/{CLIP}"),
        ("not there.mov", "not there.mov"),
    ],
)
async def test_what_lies_in_a_watch_folder_is_sent_from_where_it_really_is(
    folder: Path, given: str, meant: str
) -> None:
    assert await allowed(folder / given, [folder]) == folder / meant


async def test_a_watch_folder_may_itself_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mount").symlink_to(folder)
    for path in (folder / CLIP, tmp_path / "mount" / CLIP):
        assert await allowed(path, [tmp_path / "mount"]) == tmp_path / "mount" / CLIP


@pytest.mark.parametrize(
    "outside",
    [
        "/etc/passwd",
        "/not/there.mov",
        "{folder}",
        "{folder}/link.mov",
        "{folder}/linked/" + CLIP,
        "{folder}/linked/not there.mov",
        "{folder}/../private/" + CLIP,
        "{folder}/../showreel/" + CLIP,
        "{folder}reel/" + CLIP,
        "{folder}/../../../../../../../../etc/passwd",
        "{folder}/\0" + CLIP,
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd/" + CLIP,
        CLIP,
        "",
        ".",
        "https://example.org/a.mov",
    ],
)
async def test_nothing_else_is_and_nobody_learns_whether_it_is_there(
    folder: Path, outside: str
) -> None:
    told = set()
    for path in (outside.format(folder=folder), "/never/there.mov"):
        with pytest.raises(Fatal) as refused:
            await allowed(Path(path), [folder])
        assert refused.value.code == "clip.not_allowed"
        told.add((refused.value.message, refused.value.hint))
    assert len(told) == 1


async def test_a_studio_may_allow_other_folders(folder: Path, tmp_path: Path) -> None:
    clip = tmp_path / "private" / CLIP
    assert await allowed(clip, [folder, clip.parent]) == clip
    with pytest.raises(Fatal):
        await allowed(clip, [])


@pytest.mark.parametrize(
    "pasted",
    [
        "/a b/c.mov\n",
        "  /a b/c.mov ",
        '"/a b/c.mov"',
        "'/a b/c.mov'\r\n",
        "“/a b/c.mov”",
        "file:///a%20b/c.mov\n",
        "'file://localhost/a%20b/c.mov'",
    ],
)
def test_a_path_is_taken_as_people_paste_it(pasted: str) -> None:
    assert as_meant(Path(pasted)) == Path("/a b/c.mov")


def test_a_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert as_meant(Path("~/c.mov")) == Path("/home/ada/c.mov")
    assert as_meant(Path("~nobody at all/c.mov")) == Path("~nobody at all/c.mov")
