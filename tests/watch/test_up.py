"""`postflow up`: server, runners and watchers as processes; the order of the tests is a session's.

It is installed from a wheel, and starts in a folder whose `flows`, `blocks` and `tasks` raise.

At first the schedule is a day away, so that whatever arrives was called for by an event; after the
kill the watcher is frozen, so that the clock alone delivers.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
from typing import Any

import psutil
import pytest

from postflow.ledger import Phase
from postflow.sandbox.clips import clip_path
from postflow.servers import PAGE, PREFECT
from tests.page.ground import BOARD, Person, line_of, shelves
from tests.support.wait import wait_until, wait_until_sync
from tests.watch.conftest import MAIN, SECOND, Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FIRST, OTHERS, SLOW, OTHER, LATE, LAST = (
    f"SQ07_UNDLM_0015{number}_v001.mov" for number in range(2, 8)
)
BY_HAND, BY_SCRIPT = (f"SQ08_UNDLM_0030{number}_v001.mov" for number in (1, 2))
MISNAMED = "nobody knows this.mov"
SCRIPT = """
import asyncio, sys
from pathlib import Path

import postflow
assert "prefect" not in sys.modules, "importing postflow alone is quick"
from postflow import deliver

delivery = asyncio.run(deliver(Path(sys.argv[1])))
print(delivery.view_url)
"""


def test_dropped_clips_of_two_studios_arrive_by_event(up: Running) -> None:
    up.drop(FIRST)
    up.drop(OTHERS, studio=SECOND)
    wait_until_sync(lambda: len(up.delivered()) == 2, timeout=120, description="two clips")
    assert sorted(up.delivered()) == [FIRST, OTHERS]
    # Until the ledger says so, the file must not change: it would be withdrawn and sent anew.
    wait_until_sync(lambda: _is(up, FIRST, Phase.DELIVERED), description="the ledger")


def test_the_second_export_of_a_name_joins_the_first_on_a_stack(up: Running) -> None:
    up.drop(FIRST, extra=1)
    wait_until_sync(lambda: up.delivered().count(FIRST) == 2, timeout=120, description=FIRST)
    wait_until_sync(lambda: _is(up, FIRST, Phase.DELIVERED), description="the ledger")
    wait_until_sync(
        lambda: {a["position"] for a in up.world.assets() if a["name"] == FIRST} == {1, 2},
        timeout=60,
        description="their stack, which follows",
    )


def test_a_clip_whose_run_a_person_cancels_stops_and_the_other_travels_on(up: Running) -> None:
    up.world.fault("delay", where="fetch", times=1, seconds=600)
    up.drop(SLOW)
    wait_until_sync(lambda: _has_file(up, SLOW), timeout=120, description="the request")
    up.drop(OTHER)
    up.cancel(up.run_of(SLOW))
    wait_until_sync(
        lambda: up.run_of(SLOW)["state_type"] == "CANCELLED", timeout=120, description="its end"
    )
    clip = up.clip(SLOW)
    assert clip is not None
    assert (clip.phase, clip.code) == (Phase.FAILED, "clip.cancelled")
    assert f"postflow retry {SLOW}" in up.run_of(SLOW)["state"]["message"]
    wait_until_sync(lambda: OTHER in up.delivered(), timeout=120, description=OTHER)
    assert SLOW not in [asset["name"] for asset in up.world.assets()]


def test_a_clip_that_failed_is_delivered_after_retry_by_a_command_that_finds_the_server(
    up: Running,
) -> None:
    assert SLOW in up.postflow("retry", SLOW)
    wait_until_sync(lambda: SLOW in up.delivered(), timeout=120, description=SLOW)


def test_a_clip_is_uploaded_by_hand(up: Running) -> None:
    (told,) = json.loads(up.postflow("upload", _by_hand(up, BY_HAND), "--json"))
    assert told["view_url"]


def test_a_script_delivers_without_being_told_of_the_server(up: Running) -> None:
    script = up.stranger.folder / "send.py"
    script.write_text(SCRIPT)
    assert "/view/" in up.run("python", str(script), _by_hand(up, BY_SCRIPT))


def test_a_watcher_that_dies_is_started_again(up: Running) -> None:
    died = up.part("watch")
    assert died is not None
    died.kill()
    wait_until_sync(
        lambda: up.part("watch") not in {None, died}, timeout=120, description="the next one"
    )
    assert f"watcher of studio {MAIN} was killed (SIGKILL)" in up.said()


def test_after_a_kill_the_next_up_just_works_and_delivers_what_was_on_its_way_by_the_clock(
    up: Running,
) -> None:
    """The kernel kills `up` and a runner at once, where memory is short; their run ends in order.
    The next `up` has a frozen watcher.
    """
    up.world.fault("delay", where="fetch", times=1, seconds=600)
    up.drop(LATE)
    wait_until_sync(lambda: _has_file(up, LATE), timeout=120, description="the request")
    (run,) = _unfinished(up)
    left, runner = up.family(), up.part("serve")
    assert runner is not None
    for each in (up.process, runner):
        each.kill()
    up.process.wait()

    up.start("--studio", MAIN, every=30)
    watcher = up.part("watch")
    assert watcher is not None
    watcher.suspend()

    assert psutil.wait_procs(left, timeout=60)[1] == []
    ended = next(each for each in up.ingest_runs() if each["id"] == run["id"])
    assert ended["state_type"] == "CANCELLED", "the server has lived longer"
    assert "PostFlow was stopped" in ended["state"]["message"]
    wait_until_sync(lambda: LATE in up.delivered(), timeout=120, description=LATE)
    watcher.resume()


def test_with_clock_and_watcher_each_clip_still_goes_once(up: Running) -> None:
    up.drop(LAST)
    up.drop(MISNAMED)
    wait_until_sync(lambda: LAST in up.delivered(), timeout=120, description=LAST)
    states = {run["state_type"] for run in up.ingest_runs()}
    assert not states & {"FAILED", "CRASHED"}, "a call that came too early is no failure"


def test_the_terminal_tells_once_of_each_clip_how_it_ended(up: Running) -> None:
    expected = (LATE, LAST, MISNAMED)
    wait_until_sync(lambda: all(name in up.said() for name in expected), timeout=60)
    told = [line for line in up.said().splitlines() if line.startswith(("✓", "!", "✗"))]
    links = {asset["name"]: asset["view_url"] for asset in up.world.assets()}
    for name in (LATE, LAST):
        (line,) = [each for each in told if name in each]
        assert line.endswith(f"{name} {links[name]}")
    (line,) = [each for each in told if MISNAMED in each]
    assert line.startswith("!")
    assert len(told) == 3, "what had ended before is no news"


def test_the_server_of_up_forgets_what_is_older_than_a_month(up: Running) -> None:
    vacuum = up.settings()["server"]["services"]["db_vacuum"]
    assert set(vacuum["enabled"]) == {"events", "flow_runs"}
    assert vacuum["retention_period"] == "P30D"


def test_each_clip_has_a_run_below_one_of_ingest_that_takes_several(up: Running) -> None:
    below = [run for run in up.deliver_runs() if run["parent_task_run_id"]]
    assert {run["name"] for run in below} >= {FIRST, OTHERS, SLOW, OTHER, LATE, LAST}
    assert _ingest_runs_of(up, below, OTHER) <= _ingest_runs_of(up, below, SLOW)


def test_the_table_of_an_ingest_has_every_clip_and_its_link(up: Running) -> None:
    wait_until_sync(
        lambda: {LAST, MISNAMED} <= _tallied(up).keys(), timeout=120, description="their tables"
    )
    rows = _tallied(up)
    links = {asset["view_url"] for asset in up.world.assets() if asset["name"] == LAST}
    assert rows[LAST]["outcome"] == "delivered"
    assert {rows[LAST]["link or reason"]} == links
    assert rows[MISNAMED]["outcome"] == "skipped"


def test_names_in_the_ui_say_which_is_which(up: Running) -> None:
    assert set(_deployments(up)) == {"deliver", "ingest", "deliver-second", "ingest-second"}
    automations = {each["name"] for each in up.ask("automations/filter", {})}
    assert automations >= {f"PostFlow: clips of {each} are ready" for each in (MAIN, SECOND)}
    to_come = {run["id"] for run in up.runs("ingest") if run["state_type"] == "SCHEDULED"}
    assert to_come
    wait_until_sync(
        lambda: (
            {run["name"] for run in up.runs("ingest") if run["id"] in to_come}
            <= {"ingest main", "ingest second"}
        ),
        timeout=120,
        description="the names of runs that had not begun",
    )


async def test_on_the_page_a_misnamed_clip_is_delivered_under_another_name(up: Running) -> None:
    """It says its address, takes the password of Prefect's server, and has the runner deliver."""
    url = (up.home / "state" / PAGE).read_text().removesuffix("/")
    assert f"Clips: {url}/" in up.said()
    async with Person(url, up.password) as person:
        html = await person.sees()
        assert MISNAMED in shelves(html)["attention"]
        clip = line_of(html, MISNAMED).split(f'href="{BOARD}')[1].split('"')[0]
        token = (await person.sees(f"{BOARD}{clip}")).split('name="token" value="')[1][:64]
        values = {"token": token, "sequence": "SQ08", "shot": "00205"}
        answer = await person.post(f"{BOARD}{clip}/deliver", data=values)
        assert "is handed over" in answer.text
        await wait_until(lambda: _is(up, MISNAMED, Phase.DELIVERED), timeout=120)
        assert MISNAMED in shelves(await person.sees())["delivered"]


def test_prefect_deploys_with_the_file_that_comes_along(up: Running) -> None:
    shipped = ("-c", "import importlib.resources as r; print(r.files('postflow') / 'prefect.yaml')")
    shutil.copy(up.run("python", *shipped).strip(), up.stranger.folder)
    up.ask("work_pools/", {"name": "postflow", "type": "process"})
    up.run(
        *("prefect", "--no-prompt", "deploy", "--all"),
        PREFECT_API_URL=up.api,
        PREFECT_API_AUTH_STRING=up.postflow("ui", "--password").strip(),
    )
    pools = {"work_pools": {"name": {"any_": ["postflow"]}}}
    found = {each["name"]: each for each in up.ask("deployments/filter", pools)}
    assert {name: each["entrypoint"] for name, each in found.items()} == {
        "deliver": "postflow.flows.deliver.deliver",
        "ingest": "postflow.flows.ingest.ingest",
    }
    for each in found.values():
        assert str(up.stranger.folder) not in str(each), "a worker needs no such folder"


def test_sigterm_leaves_no_process_and_no_port(up: Running) -> None:
    family = up.family()
    assert len(family) >= 4
    up.process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=120)
    assert alive == []
    assert up.process.returncode == 128 + signal.SIGTERM
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", up.port)) != 0
    assert not (up.home / "state" / PREFECT).exists()
    assert not (up.home / "state" / PAGE).exists()
    assert list((up.home / "state" / "ngrok").iterdir()) == []


def test_every_clip_was_delivered_once(up: Running) -> None:
    sizes = [(asset["name"], asset["size"]) for asset in up.world.assets()]
    assert len(sizes) == len(set(sizes)) == 10


def _by_hand(up: Running, name: str) -> str:
    """The path of a clip outside of the watch folders."""
    path = up.home / name
    path.write_bytes(clip_path().read_bytes() + b"\0\0\0\x0dmdat" + name[10:15].encode())
    return str(path)


def _deployments(up: Running) -> dict[str, str]:
    return {each["name"]: each["id"] for each in up.ask("deployments/filter", {})}


def _unfinished(up: Running) -> list[dict[str, Any]]:
    return [run for run in up.ingest_runs() if run["state_type"] in {"PENDING", "RUNNING"}]


def _ingest_runs_of(up: Running, below: list[dict[str, Any]], name: str) -> set[str]:
    stages = [run["parent_task_run_id"] for run in below if run["name"] == name]
    found = up.ask("task_runs/filter", {"task_runs": {"id": {"any_": stages}}})
    return {stage["flow_run_id"] for stage in found}


def _tallied(up: Running) -> dict[str, Any]:
    tallies = up.ask("artifacts/filter", {"artifacts": {"key": {"any_": ["ingest-main"]}}})
    return {row["clip"]: row for tally in tallies for row in json.loads(tally["data"])}


def _is(up: Running, name: str, phase: Phase) -> bool:
    clip = up.clip(name)
    return clip is not None and clip.phase is phase


def _has_file(up: Running, name: str) -> bool:
    return any(asset["name"] == name for asset in up.world.assets())
