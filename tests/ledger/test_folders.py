"""Folders that were met are known by their ids."""

from __future__ import annotations

from postflow.ledger import Ledger

A, B = "2_FROM_ANIM", "2_FROM_ANIM/SQ07"


def test_a_folder_is_known_by_the_path_at_which_it_was_met(ledger: Ledger) -> None:
    assert ledger.folders_at("project", [A, B]) == {}
    ledger.keep_folders("project", {A: "a", B: "b"})
    ledger.keep_folders("other", {A: "x"})
    assert ledger.folders_at("project", [A, B, "elsewhere"]) == {A: "a", B: "b"}
    ledger.keep_folders("project", {B: "made again"})
    assert ledger.folders_at("project", [A, B]) == {A: "a", B: "made again"}
