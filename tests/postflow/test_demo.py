"""What `make demo` drops."""

from __future__ import annotations

import os
from pathlib import Path

from postflow.media.probe import Print, fingerprint
from postflow.sandbox.clips import clip_path, exported_again_path


def print_of(path: Path) -> Print:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return fingerprint(descriptor, path.stat().st_size, path.suffix)
    finally:
        os.close(descriptor)


def test_the_clip_that_is_exported_again_is_another_take() -> None:
    """Else nothing is delivered, and the demo waits for it."""
    assert print_of(exported_again_path()).essence != print_of(clip_path()).essence
