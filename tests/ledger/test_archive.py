"""What happened long ago is put aside; what it came to stays."""

from __future__ import annotations

import json
from pathlib import Path

from postflow.ledger import Ledger, Phase, Root, queries, registry, transitions
from postflow.ledger.export import A_YEAR, archive
from tests.ledger.ground import Clock, add, bring_to_arrived, claim_one, media


def test_steps_older_than_a_year_move_into_the_file_and_the_clip_stays(
    ledger: Ledger, root: Root, clock: Clock, tmp_path: Path
) -> None:
    old = add(ledger, root, "old.mov")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    clock.forward(A_YEAR.total_seconds() + 1)
    new = add(ledger, root, "new.mov", content="b")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger), "file-2"))
    waiting = add(ledger, root, "waiting.mov", content="c")
    events = [step.event for step in queries.steps(ledger, old)]

    with (tmp_path / "old.jsonl").open("a") as file:
        assert archive(ledger, file) == 1
        assert archive(ledger, file) == 0, "once"

    (line,) = (tmp_path / "old.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert (kept["id"], [each["event"] for each in kept["history"]]) == (old, events)
    assert queries.steps(ledger, old) == []
    assert all(queries.steps(ledger, clip_id) for clip_id in (new, waiting))
    (clip,) = queries.rows(ledger, name="old.mov")
    assert (clip.phase, clip.view_url) == (Phase.DELIVERED, kept["view_url"])
    again = registry.register(ledger, root, media(root, "old.mov"))
    assert again is None or not again.new, "it is not delivered again"
