"""What has to be true, while the studio works and when its days are over."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from typing import Any

import psutil

from postflow.ledger import State, claims, export, leases
from tests.crash.agents import agents
from tests.crash.ground import Ground
from tests.crash.record import DELIVERED, is_complete
from tests.crash.studio_life.volume import Volume
from tests.ledger.consistency import check_consistent

Record = dict[str, Any]


def nothing_is_called_delivered_that_is_not_there(ground: Ground, volume: Volume) -> list[Record]:
    """True at any moment. The ledger is read first: what it says then must hold from then on."""
    with ground.open_ledger() as ledger:
        clips = check_consistent(ledger)
    assets = {asset["id"]: asset for asset in ground.world.assets()}
    exported = {(each.relpath, each.fingerprint): each for each in volume.revisions}
    for clip in clips:
        if clip["state"] in DELIVERED:
            asset = assets[clip["file_id"]]
            revision = exported[clip["relpath"], clip["fingerprint"]]
            assert is_complete(asset), clip
            assert asset["sha256"] == revision.sha256, clip
            assert asset["path"] == revision.path_in_frameio, clip
    return clips


def every_revision_that_stayed_is_there_once(ground: Ground, volume: Volume) -> None:
    """Byte for byte as it is on disk, in the right folder."""
    there = _arrivals(ground)
    for relpath, revision in volume.standing.items():
        on_disk = hashlib.sha256((volume.here / relpath).read_bytes()).hexdigest()
        assert on_disk == revision.sha256
        assert there[revision.path_in_frameio, revision.sha256] == 1, relpath


def what_was_replaced_or_deleted_is_there_at_most_once(ground: Ground, volume: Volume) -> None:
    there = _arrivals(ground)
    for revision in volume.revisions:
        assert there[revision.path_in_frameio, revision.sha256] <= 1, revision


def nothing_else_is_there(ground: Ground, volume: Volume) -> None:
    """No misnamed, temporary or unfinished file, no placeholder that nobody fills."""
    exported = {(each.path_in_frameio, each.sha256) for each in volume.revisions}
    assert not _arrivals(ground).keys() - exported
    assert [asset for asset in ground.world.assets() if not is_complete(asset)] == []
    paths = [folder["path"] for folder in ground.world.folders()]
    assert len(paths) == len(set(paths))


def every_shot_is_one_stack_in_version_order(ground: Ground) -> None:
    shots: dict[str, list[Record]] = defaultdict(list)
    for asset in ground.world.assets():
        shots[asset["path"].rpartition("_v")[0]].append(asset)
    for shot, versions in shots.items():
        if len(versions) == 1:
            continue
        assert len({asset["stack"] for asset in versions}) == 1, shot
        assert None not in {asset["stack"] for asset in versions}, shot
        stacked = sorted(versions, key=lambda asset: int(asset["position"]))
        names = [asset["name"] for asset in stacked]
        assert names == sorted(names), shot


def everything_is_over(ground: Ground, volume: Volume) -> None:
    """Nothing is claimed and no run on duty; no process, port, agent or folder of one is left."""
    with ground.open_ledger() as ledger:
        clips = [json.loads(line) for line in export.lines(ledger)]
        assert leases.recover(ledger).runs == ()
        assert claims.ready(ledger) == 0
    for clip in clips:
        if clip["kind"] == "clip":
            assert clip["run_id"] is None
            assert clip["state"] in {State.DONE, State.SKIPPED, State.SUPERSEDED}, clip
    standing = {(r.relpath, r.fingerprint) for r in volume.standing.values()}
    done = {(c["relpath"], c["fingerprint"]) for c in clips if c.get("state") == State.DONE}
    assert standing <= done
    assert no_life_is_left()
    assert agents(ground.state) == []
    assert not list((ground.state / "ngrok").glob("*/"))


def no_life_is_left() -> bool:
    """But for the process that they are forked from, and it listens nowhere."""
    below = psutil.Process().children(recursive=True)
    nurseries = [each for each in below if "tests.crash.nursery" in each.cmdline()]
    sockets = [each for nursery in nurseries for each in nursery.net_connections()]
    listening = [each for each in sockets if each.status == psutil.CONN_LISTEN]
    return len(nurseries) == 1 and not listening


def _arrivals(ground: Ground) -> Counter[tuple[str, str]]:
    return Counter((asset["path"], asset["sha256"]) for asset in ground.world.assets())
