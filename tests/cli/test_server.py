"""The Prefect server that commands share where they find none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from postflow.servers import (
    API,
    CLIENT_PASSWORD,
    SERVER_PASSWORD,
    SHARED,
    is_ours,
    our_server,
    told_address,
)
from tests.support.prefect_home import migrated
from tests.support.wait import wait_until_sync

COMMAND = """
import os
from postflow.service.server import prepare_prefect
prepare_prefect()
from postflow.servers import is_ours
from prefect.client.orchestration import get_client
address = os.environ["PREFECT_API_URL"]
print(address, is_ours(address), get_client(sync_client=True).api_healthcheck(), flush=True)
input()
"""


def command(home: Path, state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", COMMAND],
        env={
            "POSTFLOW_STATE_DIR": str(state),
            "PREFECT_HOME": str(home),
            "POSTFLOW_SERVER_IDLE": "0",
        },
        cwd=state,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.prefect
def test_the_first_command_starts_one_for_all_until_the_last_has_ended(
    private_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike the one that Prefect would start, it listens before anybody can know where."""
    for variable in (API, SERVER_PASSWORD, CLIENT_PASSWORD):  # of the session's server
        monkeypatch.delenv(variable, raising=False)
    home = migrated(tmp_path / "prefect")
    with command(home, private_state) as first, command(home, private_state) as second:
        assert first.stdout
        assert second.stdout
        told = first.stdout.readline()
        assert second.stdout.readline() == told
        address, ours, trouble = told.split()
        assert (ours, trouble, told_address(SHARED)) == ("True", "None", address)
        assert our_server(shared=False) is None, "`up` and `ui` need one with services and a UI"
        assert first.communicate("\n") == ("", "")
        assert is_ours(address)
        assert second.communicate("\n") == ("", ""), "nothing moves where nobody looks"
    wait_until_sync(lambda: told_address(SHARED) is None, description="that nobody finds it")
    wait_until_sync(lambda: not is_ours(address), description="its end")
