"""What a wheel holds, and what of it needs no `up`; that one is of the wheel too."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from postflow.sandbox.clips import clip_path
from tests.watch.installed import Stranger, build

pytestmark = pytest.mark.slow


def test_nothing_generic_is_installed_and_what_is_not_python_comes_along(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert sorted(top.partition("-")[0] for top in tops) == ["postflow", "postflow"]
    assert {
        "postflow/prefect.yaml",
        "postflow/sandbox/frameio/openapi.json",
        f"postflow/sandbox/clips/{clip_path().name}",
    } <= names


def test_a_wheel_holds_the_same_with_and_without_a_source_distribution(
    wheel: Path, tmp_path: Path
) -> None:
    directly = build(tmp_path, "--wheel")
    assert set(ZipFile(directly).namelist()) == set(ZipFile(wheel).namelist())


def test_the_sandbox_comes_along(stranger: Stranger, tmp_path: Path) -> None:
    file = tmp_path / "studio.toml"
    command = [str(stranger.bin / "postflow"), "sandbox", "--json", "--studio-file", str(file)]
    with subprocess.Popen(
        command, cwd=stranger.folder, env=os.environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        told = process.stdout.readline()
        process.terminate()
    assert json.loads(told)["discord_webhook_url"] in file.read_text()
