"""Folders that were met are known by their ids."""

from __future__ import annotations

from postflow.ledger import Ledger, known_ids

A, B = "2_FROM_ANIM", "2_FROM_ANIM/SQ07"


def test_a_folder_is_known_by_the_path_at_which_it_was_met(ledger: Ledger) -> None:
    assert known_ids.folders_at(ledger, "project", [A, B]) == {}
    known_ids.keep_folders(ledger, "project", {A: "a", B: "b"})
    known_ids.keep_folders(ledger, "other", {A: "x"})
    assert known_ids.folders_at(ledger, "project", [A, B, "elsewhere"]) == {A: "a", B: "b"}
    known_ids.keep_folders(ledger, "project", {B: "made again"})
    assert known_ids.folders_at(ledger, "project", [A, B]) == {A: "a", B: "made again"}
