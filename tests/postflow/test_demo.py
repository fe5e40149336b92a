"""What `make demo` drops."""

from __future__ import annotations

import os
from pathlib import Path

from postflow.cli.demo import MEDIA_ATOM
from postflow.media.probe import Print, fingerprint
from postflow.sandbox.clips import clip_path


def print_of(path: Path) -> Print:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return fingerprint(descriptor, path.stat().st_size, path.suffix)
    finally:
        os.close(descriptor)


def test_the_clip_that_is_exported_again_is_another_take(tmp_path: Path) -> None:
    """Else nothing is delivered, and the demo waits for it."""
    again = tmp_path / clip_path().name
    again.write_bytes(clip_path().read_bytes() + MEDIA_ATOM)
    assert print_of(again).essence != print_of(clip_path()).essence
