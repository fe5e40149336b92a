"""`postflow up`: server, runner and look-out as processes; the order of the tests is a session's.

The schedule is a day away, so that whatever arrives was called for by an event.
"""

from __future__ import annotations

import json
import signal
import socket

import psutil
import pytest

from postflow.ledger import Phase
from tests.support.wait import wait_until_sync
from tests.watch.conftest import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FIRST, SECOND, SLOW, OTHER = (
    "SQ07_UNDLM_00152_v001.mov",
    "SQ07_UNDLM_00153_v001.mov",
    "SQ07_UNDLM_00154_v001.mov",
    "SQ07_UNDLM_00155_v001.mov",
)


def test_dropped_clips_arrive_by_event(up: Running) -> None:
    up.drop(FIRST)
    up.drop(SECOND)
    up.drop("nobody knows this.mov")
    wait_until_sync(lambda: len(up.delivered()) == 2, timeout=90, description="two clips")
    assert sorted(up.delivered()) == [FIRST, SECOND]


def test_status_finds_the_server_that_up_has_started(up: Running) -> None:
    told = up.postflow("status")
    assert FIRST in told
    assert "1 skipped" in told


def test_the_second_export_of_a_name_joins_the_first_on_a_stack(up: Running) -> None:
    up.drop(FIRST, extra=1)
    wait_until_sync(lambda: up.delivered().count(FIRST) == 2, timeout=120, description=FIRST)
    wait_until_sync(lambda: _is(up, FIRST, Phase.DELIVERED), description="the ledger")
    positions = {a["position"] for a in up.world.assets() if a["name"] == FIRST}
    assert positions == {1, 2}


def test_a_clip_whose_run_a_person_cancels_stops_and_the_other_travels_on(up: Running) -> None:
    up.world.fault("delay", where="fetch", times=2, seconds=10)
    up.drop(SLOW)
    up.drop(OTHER)
    wait_until_sync(lambda: _is(up, SLOW, Phase.ON_ITS_WAY), timeout=120, description="its start")
    wait_until_sync(lambda: _has_file(up, SLOW), description="the request")
    up.cancel(up.run_of(SLOW))
    wait_until_sync(
        lambda: up.run_of(SLOW)["state_type"] == "CANCELLED", timeout=30, description="its end"
    )
    clip = up.clip(SLOW)
    assert clip is not None
    assert (clip.phase, clip.code) == (Phase.FAILED, "clip.cancelled")
    assert f"postflow retry {SLOW}" in up.run_of(SLOW)["state"]["message"]
    wait_until_sync(lambda: OTHER in up.delivered(), timeout=120, description=OTHER)
    assert SLOW not in [asset["name"] for asset in up.world.assets()]


def test_a_clip_that_failed_is_delivered_after_retry(up: Running) -> None:
    assert SLOW in up.postflow("retry", SLOW)
    wait_until_sync(lambda: SLOW in up.delivered(), timeout=120, description=SLOW)


def test_each_clip_has_a_run_below_the_few_of_ingest(up: Running) -> None:
    wait_until_sync(lambda: not _unfinished(up), timeout=120, description="the end of ingest")
    runs = up.ingest_runs()
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    below = {run["name"] for run in up.deliver_runs() if run["parent_task_run_id"]}
    assert below >= {FIRST, SECOND, SLOW, OTHER}
    assert len(runs) < len(below)


def test_the_tables_of_ingest_have_every_clip_and_its_link(up: Running) -> None:
    tallies = up.ask("artifacts/filter", {"artifacts": {"key": {"any_": ["ingest-main"]}}})
    rows = {row["clip"]: row for tally in tallies for row in json.loads(tally["data"])}
    links = {asset["view_url"] for asset in up.world.assets() if asset["name"] == SECOND}
    assert rows[SECOND]["outcome"] == "delivered"
    assert {rows[SECOND]["link or reason"]} == links
    assert rows["nobody knows this.mov"]["outcome"] == "skipped"


def test_cancelling_ingest_closes_the_tunnel_and_gives_the_clips_back(up: Running) -> None:
    up.world.fault("delay", where="fetch", times=1, seconds=60)
    up.drop(late := "SQ07_UNDLM_00156_v001.mov")
    wait_until_sync(lambda: _has_file(up, late), timeout=120, description="the request")
    (run,) = _unfinished(up)
    up.cancel(run)
    wait_until_sync(
        lambda: _state(up, run["id"]) == "CANCELLED", timeout=120, description="its end"
    )
    wait_until_sync(lambda: late in up.delivered(), timeout=120, description="the next run")
    assert up.delivered().count(late) == 1


def test_sigterm_leaves_no_process_and_no_port(up: Running) -> None:
    family = up.family()
    assert len(family) >= 4
    up.process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=120)
    assert alive == []
    assert up.process.returncode == 128 + signal.SIGTERM
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", up.port)) != 0
    assert not (up.home / "state" / "prefect-api-url").exists()


def test_every_clip_was_delivered_once(up: Running) -> None:
    sizes = [(asset["name"], asset["size"]) for asset in up.world.assets()]
    assert len(sizes) == len(set(sizes)) == 6


def _unfinished(up: Running) -> list[dict[str, object]]:
    return [run for run in up.ingest_runs() if run["state_type"] in {"PENDING", "RUNNING"}]


def _state(up: Running, run_id: object) -> object:
    return next(run["state_type"] for run in up.ingest_runs() if run["id"] == run_id)


def _is(up: Running, name: str, phase: Phase) -> bool:
    clip = up.clip(name)
    return clip is not None and clip.phase is phase


def _has_file(up: Running, name: str) -> bool:
    return any(asset["name"] == name for asset in up.world.assets())
