"""Which machine a process runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postflow.ledger import process
from postflow.ledger.process import is_dead_here, this_machine, this_process


@pytest.fixture
def forgotten() -> Iterator[None]:
    yield
    this_machine.cache_clear()


@pytest.mark.usefixtures("forgotten")
def test_machines_of_one_name_are_told_apart_where_there_is_no_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each would take the other's runs for dead, whose processes it does not have."""
    sysctl = tmp_path / "sysctl"
    monkeypatch.setattr(process, "BOOT_ID", tmp_path / "none")
    monkeypatch.setattr(process, "SYSCTL", str(sysctl))
    found = []
    for boot in ("6D8A", "01C3"):
        sysctl.write_text(f"#!/bin/sh\n[ $2 = kern.bootsessionuuid ] && echo {boot}\n")
        sysctl.chmod(0o755)
        this_machine.cache_clear()
        found.append(this_process().model_copy(update={"born": 0.0}))
    assert [is_dead_here(each) for each in found] == [False, True]
