"""What reaches the terminal."""

from __future__ import annotations

import pytest

from postflow.service.console import out

HOSTILE = "SQ07\x1b]0;owned\x07\x1b[2J\u202e.mov"


def test_no_control_character_of_a_name_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out.print(f"[bold]{HOSTILE}[/bold]")
    out.print(HOSTILE, markup=False)
    told = capsys.readouterr().out
    assert told.count("]0;owned") == 2
    assert all(line.isprintable() for line in told.splitlines())
