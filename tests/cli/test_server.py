"""The Prefect server of a command that finds none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from postflow.state import is_ours
from tests.support.prefect_home import migrated

COMMAND = """
import os
from postflow.service.server import prepare_prefect
prepare_prefect()
from postflow.state import is_ours
from prefect.client.orchestration import get_client
address = os.environ["PREFECT_API_URL"]
print(address, is_ours(address), get_client(sync_client=True).api_healthcheck())
"""


@pytest.mark.prefect
def test_a_command_alone_starts_one_whose_port_nobody_can_take(
    private_state: Path, tmp_path: Path
) -> None:
    """Unlike the one that Prefect would start, it listens before anybody can know where."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", COMMAND],
        env={
            "POSTFLOW_STATE_DIR": str(private_state),
            "PREFECT_HOME": str(migrated(tmp_path / "prefect")),
        },
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    address, ours, trouble = ran.stdout.split()
    assert (ours, trouble, ran.stderr) == ("True", "None", "Starting Prefect …\n")
    assert not is_ours(address), "it has ended"
