"""A second host joins: by the server's password, with the folder that its marker tells."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from prefect.settings import PREFECT_PROFILES_PATH, temporary_settings
from pydantic import SecretStr

from postflow.errors import Fatal, Retry
from postflow.folder.root import read_mark
from postflow.outlet.tunnel import free_port
from postflow.servers import API, CLIENT_PASSWORD, SERVER_PASSWORD, password
from postflow.service import joining
from postflow.service.joining import demand_shared, join, places_of
from tests.support.enrolled import enrolled
from tests.support.wait import wait_until


def test_a_ledger_in_a_file_is_no_other_hosts() -> None:
    for file in (None, SecretStr("/var/lib/postflow/ledger.db")):
        with pytest.raises(Fatal, match="no other host can deliver") as refused:
            demand_shared(file, "main")
        assert refused.value.code == "host.ledger"
    demand_shared(SecretStr("postgresql://db/postflow"), "main")


async def test_a_folder_is_known_by_its_marker_wherever_its_volume_is_mounted(
    tmp_path: Path,
) -> None:
    mounts = [tmp_path / each for each in ("other", "post", "snapshot")]
    for mount in mounts:
        (mount / "EXPORTS").mkdir(parents=True)
    enrolled(here := tmp_path / "post" / "EXPORTS")
    marks = (read_mark(here).id,)
    theirs = Path("/Volumes/Post/EXPORTS")
    assert await places_of(theirs, marks, mounts) == [here]
    assert await places_of(theirs, ("another",), mounts) == []
    assert await places_of(theirs, marks, [here, tmp_path / "gone"]) == [here]
    (mounts[2] / "EXPORTS" / ".postflow-root").write_bytes((here / ".postflow-root").read_bytes())
    assert len(await places_of(theirs, marks, mounts)) == 2


async def test_a_volume_that_hangs_is_asked_again_once_it_has_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each look for a folder that is not here yet would leave a thread behind."""

    async def look(mark: str) -> list[Path]:
        return await places_of(Path("/Volumes/Post"), (mark,), [tmp_path])

    monkeypatch.setattr(joining, "LOOK", 600.0)
    os.mkfifo(marker := tmp_path / ".postflow-root")  # whoever opens it waits for a writer
    first = asyncio.create_task(look("mark"))
    await wait_until(lambda: tmp_path in joining.looked_at, description="the first look")
    first.cancel()
    async with asyncio.timeout(60):
        assert await look("mark") == []
    marker.write_bytes(b"")
    await wait_until(lambda: tmp_path not in joining.looked_at, description="the answer")
    marker.unlink()
    enrolled(tmp_path)
    assert await look(read_mark(tmp_path).id) == [tmp_path]


@pytest.mark.prefect
def test_a_server_is_joined_by_its_password_and_kept_for_later_starts(
    prefect_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, profiles = password(), tmp_path / "profiles.toml"
    monkeypatch.setenv(API, prefect_api)
    with temporary_settings({PREFECT_PROFILES_PATH: profiles}):
        monkeypatch.setenv(CLIENT_PASSWORD, "postflow:wrong")
        for asked in (None, lambda: "postflow:wrong as well"):
            with pytest.raises(Fatal) as refused:
                join(prefect_api, asked)
            assert refused.value.code == "prefect.password"
            assert "does not take the password" in str(refused.value)
            assert "wrong" not in str(refused.value)
        assert not profiles.exists()
        join(prefect_api, lambda: right)
    monkeypatch.setenv(SERVER_PASSWORD, "")
    with monkeypatch.context() as another_shell:
        another_shell.setenv(CLIENT_PASSWORD, "")
        assert password() == right, "of the page of clips, too"
    assert (os.environ[API], os.environ[CLIENT_PASSWORD]) == (prefect_api, right)
    assert prefect_api in profiles.read_text()
    assert right in profiles.read_text()
    assert profiles.stat().st_mode & 0o777 == 0o600


def test_what_is_no_prefect_server_is_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CLIENT_PASSWORD, raising=False)
    with pytest.raises(Retry) as away:
        join(f"http://127.0.0.1:{free_port()}/api", None)
    assert away.value.code == "prefect.unreachable"
