"""The kernel grants no more inotify watches: a person hears of it, and scans go on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.marked import mark_root

FOLLOWING = """
import asyncio, sys
from pathlib import Path
from postflow.folder import wakeup
from postflow.media.volume import FileSystem
from postflow.folder.wakeup import _inspected
from postflow.settings import Watching

wakeup.ASK_MS = 50
root = Path(sys.argv[1])
FileSystem.has_events = True

async def main():
    news = []
    async with wakeup.wakeup(root, has_events=lambda _: True) as bell, asyncio.timeout(30):
        while not news:
            news += bell.news()
            await bell.wait(root, 0.1, at_least=0)
        for _ in range(5):
            await bell.wait(root, 0.1, at_least=0)
            news += bell.news()
        print(len(news), news[0])
        print(_inspected(root, Watching(folders=(root,)))[1])

asyncio.run(main())
"""

in_a_namespace = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-Ur", "true"], check=False, capture_output=True).returncode != 0,
    reason="this machine lets nobody make a user namespace, in which limits can be set",
)


@in_a_namespace
@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_that_the_watches_are_used_up_is_told_once_and_by_check(tmp_path: Path, limit: str) -> None:
    """One folder too many, or none at all can be watched."""
    mark_root(tmp_path)
    folders = 3
    for number in range(folders):
        (tmp_path / f"SQ0{number}").mkdir()
    few = folders if limit.endswith("watches") else 0
    run = (
        f"echo {few} > /proc/sys/user/{limit} && exec {sys.executable} -c '{FOLLOWING}' {tmp_path}"
    )
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", run],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, checked = done.stdout.splitlines()
    assert told.startswith("1 ")
    for said in (told, checked):
        assert "max_user_watches" in said
        assert str(tmp_path) in said
