"""`postflow name`: what a name means, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from postflow.cli import app
from postflow.service.console import Exit
from postflow.state import remember_studio
from tests.cli.command_line import CommandLine
from tests.cli.conftest import SaveStudio

Name = Callable[..., Result]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Name:
    """`postflow name` with the shipped rules, as on a machine without Prefect."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["name", *arguments])


def test_a_good_name_is_read_field_by_field(name: Name) -> None:
    told = name("/Volumes/anim/SQ07_UNDLM_00152_v003.mov", "SQ08_UNDLM_00010_v001.mov")
    assert told.exit_code == Exit.DELIVERED
    assert "sequence SQ07, shot 00152, version v003" in told.stdout
    assert "goes to 2_FROM_ANIM/SQ07/UNDLM_00152" in told.stdout
    assert "goes to 2_FROM_ANIM/SQ08/UNDLM_00010" in told.stdout


def test_a_bad_name_is_told_which_field_fails_and_what_would_be_right(name: Name) -> None:
    told = name("SQ07_UNDLM_00152_v003.mov", "SQ07_UNDLM_152_v3.mov")
    assert told.exit_code == Exit.SKIPPED
    assert "✓ SQ07_UNDLM_00152_v003.mov" in told.stdout
    assert "✗ " in told.stdout
    assert "shot" in told.stdout
    assert "→" in told.stdout


def test_what_a_person_gives_wins_over_the_name(name: Name) -> None:
    told = name("final.mov", "--scene", "SQ09", "--shot", "00042", "--json")
    assert told.exit_code == Exit.DELIVERED
    (answer,) = json.loads(told.stdout)
    assert (answer["shot"]["sequence"], answer["shot"]["shot"]) == ("SQ09", "00042")


def test_another_shipped_preset_has_other_folders(name: Name) -> None:
    told = name("SQ07_UNDLM_00152_v003.mov", "--preset", "wip_byshot", "--json")
    (answer,) = json.loads(told.stdout)
    assert answer["shot"]["folder"][0] == "WIP_BYSHOT"


def test_a_name_with_markup_is_shown_as_it_is(name: Name) -> None:
    told = name("[red]SQ07_v1.mov")
    assert told.exit_code == Exit.SKIPPED
    assert "[red]SQ07_v1.mov" in told.stdout


def test_without_a_server_the_rules_are_those_that_this_machine_last_used(name: Name) -> None:
    remember_studio("main", {"naming": "wip_byshot", "rules": []})
    (answer,) = json.loads(name("SQ07_UNDLM_00152_v003.mov", "--json").stdout)
    assert answer["shot"]["folder"][0] == "WIP_BYSHOT"


@pytest.mark.prefect
def test_with_a_prefect_server_the_studios_rules_answer(
    postflow: CommandLine, save_studio: SaveStudio
) -> None:
    save_studio(studio={"naming": "wip_byshot"})

    ran = postflow("name", "SQ07_UNDLM_00152_v003.mov", "--json")
    unknown = postflow("name", "a.mov", "--preset", "atlantis")

    assert ran.code == Exit.DELIVERED, ran.text
    assert ran.json[0]["shot"]["folder"][0] == "WIP_BYSHOT"
    assert unknown.code == Exit.FATAL
    assert "atlantis" in unknown.err
    assert "wip_byshot" in unknown.err
