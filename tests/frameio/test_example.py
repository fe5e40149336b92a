"""The example of a client without Prefect, as it stands: it signs in once, then from its file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import httpx

from postflow.sandbox import Sandbox

EXAMPLE = Path(__file__).parents[2] / "examples" / "frameio_client.py"


def test_the_example_keeps_its_sign_in_in_a_file(world: Sandbox, tmp_path: Path) -> None:
    environment = os.environ | {
        "ADOBE_URL": world.url,
        "FRAMEIO_URL": world.url,
        "CLIENT_ID": world.client_id,
        "CLIENT_SECRET": world.client_secret,
    }
    command = [sys.executable, str(EXAMPLE), str(tmp_path)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        process.stdin.write(httpx.get(url).headers["location"] + "\n")
        printed, _ = process.communicate()
    assert "UNDLM" in printed
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert again.stdout.splitlines() == ["UNDLM"]
