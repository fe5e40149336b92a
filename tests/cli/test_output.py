"""What reaches the terminal."""

from __future__ import annotations

import pytest

from postflow.cli.scan import tell_prospects
from postflow.errors import Skip
from postflow.service.console import out, tell_error
from postflow.service.prospects import Prospect

HOSTILE = "SQ07\x1b]0;owned\x07\x1b[2J\u202e.mov"


def test_no_control_character_of_a_name_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out.print(f"[bold]{HOSTILE}[/bold]")
    out.print(HOSTILE, markup=False)
    told = capsys.readouterr().out
    assert told.count("]0;owned") == 2
    assert all(line.isprintable() for line in told.splitlines())


def test_no_line_break_of_a_name_makes_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "SQ07\n  delivered   SQ07_UNDLM_00152_v001.mov"
    tell_prospects([Prospect(file=name, what="skipped", where="")])
    tell_error(Skip("No name.", hint="Rename it.", code="name.unknown"), subject=name)
    told = capsys.readouterr()
    assert (told.out.count("\n"), told.err.count("\n")) == (2, 2)
