"""What kind of file system a folder is on."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.media.volume import file_system_of
from tests.folder.mounts import Mount


def test_a_fuse_mount_is_a_network_volume_polled_with_more_patience(
    fuse: Mount, tmp_path: Path
) -> None:
    on_fuse, on_disk = file_system_of(fuse.point / "SQ01"), file_system_of(tmp_path)
    assert on_fuse.kind == "network"
    assert not on_fuse.has_events
    if on_disk.kind == "local":
        assert on_fuse.quiet > on_disk.quiet
        assert on_fuse.clock_step > on_disk.clock_step


def test_a_symbolic_link_to_a_mount_is_judged_by_where_it_leads(
    fuse: Mount, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(fuse.point)
    assert file_system_of(tmp_path / "link").kind == "network"


def test_an_unmounted_place_belongs_to_the_disk_again(fuse: Mount, tmp_path: Path) -> None:
    fuse.unmount()
    assert file_system_of(fuse.point) == file_system_of(tmp_path)


def test_memory_is_local() -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("no /dev/shm here")
    assert file_system_of(Path("/dev/shm")).kind == "local"


def test_a_type_that_nobody_knows_is_treated_as_shared() -> None:
    assert file_system_of(Path("/proc/self")).kind == "network"


def test_a_name_that_only_begins_like_a_mount_point_is_not_on_it(
    fuse: Mount, tmp_path: Path
) -> None:
    beside = tmp_path / f"{fuse.point.name}-beside"
    beside.mkdir()
    assert file_system_of(beside) == file_system_of(tmp_path)
