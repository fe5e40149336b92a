"""Each question of the set-up: what is wrong is found at once, and what was answered is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from postflow.blocks.adobe import AdobeTokens  # noqa: F401 - before the steps import Prefect
from postflow.language import spoken
from postflow.sandbox import Sandbox
from postflow.service.setup.draft import Draft
from postflow.service.setup.prompts import Desk, Judge, Options, Prompts
from postflow.service.setup.steps import STEPS, walk
from tests.support.words import english_in


@dataclass
class Person(Prompts):
    """Answers each question with the next of its answers, and leaves before one too many."""

    answers: Mapping[str, Iterator[str]] = field(default_factory=dict)
    patience: int = 1000

    def _next(self, question: str) -> str:
        if self.asked == self.patience:
            raise KeyboardInterrupt
        self.asked += 1
        key = next(each for each in self.answers if each in question)
        return next(self.answers[key])

    def choose(self, question: str, options: Options, default: str | None = None) -> str:
        said = self._next(question) or default or options[0][0]
        assert said in dict(options)
        return said

    def _answer(self, question: str, judge: Judge, **options: Any) -> str:
        said = self._next(question) or str(options.get("default", ""))
        assert judge(said) is None
        return said


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who runs the tests wants to see Adobe's console."""
    monkeypatch.setenv("BROWSER", "true")


Answers = dict[str, list[str]]


@pytest.fixture
def right(world: Sandbox, exports: Path) -> Answers:
    return {
        "kind of credential": ["service"],
        "Client ID": [world.client_id],
        "Client secret": [world.client_secret],
        "clips travel": ["direct"],
        "Webhook URL": [world.discord_webhook_url],
        "folder is watched": [str(exports)],
        "naming rules": [""],
        "Deliver them": ["all"],
    }


def desk(world: Sandbox, answers: Answers, patience: int = 1000) -> Desk:
    given = {
        "frameio": {"base_url": world.url},
        "adobe": {"ims_url": world.url},
        "tunnel": {"ngrok_path": world.describe()["ngrok_path"]},
    }
    person = Person(answers={key: iter(each) for key, each in answers.items()}, patience=patience)
    return Desk(Draft.of("main", given), person, asyncio.run)


def test_all_is_asked_once_and_proven(
    world: Sandbox, right: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    walk(at := desk(world, right))
    assert at.ask.asked == len(right)
    told = capsys.readouterr().out
    assert "OAuth Server-to-Server" in told
    assert "Frame.io knows you as Service Account User" in told
    assert "Clips go to UNDLM: a folder could be made, and was removed." in told
    assert "2 clips (2 .mov); 1 other file (1 .txt), left alone." in told
    assert "1 name would be skipped" in told
    assert "“final” is no sequence" in told
    assert "PostFlow is being set up" in str(world.messages())
    assert not [each for each in world.folders() if "postflow-check" in str(each)]
    assert at.draft.get("studio", "naming") == "undlm"


@pytest.mark.parametrize(("patience", "left"), [(3, 5), (5, 3), (7, 1)])
def test_what_was_answered_before_an_interruption_is_not_asked_again(
    world: Sandbox, right: Answers, patience: int, left: int
) -> None:
    broken = desk(world, right, patience)
    with pytest.raises(KeyboardInterrupt):
        walk(broken)
    assert broken.draft.path.stat().st_mode & 0o077 == 0
    walk(rest := desk(world, right))
    assert rest.ask.asked == left
    assert all(step.said(rest.draft) for step in STEPS)
    assert rest.draft.file().studio.watching.folders
    rest.draft.forget()
    assert not list(rest.draft.path.parent.glob("main.*"))


def test_an_earlier_answer_can_be_changed_where_a_step_fails(
    world: Sandbox, right: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The credential is right, but its person sees no project: another one does."""
    world.fault("status", "accounts.list", code=403, times=2)
    now = {"What now": ["again", "change"], "Which one": ["Adobe: a credential for PostFlow"]}
    twice = {key: right[key] * 2 for key in ("kind of credential", "Client ID", "Client secret")}
    walk(at := desk(world, right | now | twice))
    assert at.draft.file().frameio["project"] == "UNDLM"
    assert capsys.readouterr().err.count("frameio.forbidden") == 2


@pytest.mark.parametrize(
    ("wrong", "again", "told"),
    [
        ({"Client secret": "p8e-wrong"}, ["kind of credential", "Client ID"], "client_refused"),
        ({"Webhook URL": "https://discord.com/nowhere"}, [], "webhook_invalid"),
        ({"clips travel": "ngrok", "authtoken": "wrong"}, [], "tunnel.ngrok"),
    ],
    ids=["secret", "webhook", "ngrok"],
)
def test_a_wrong_answer_is_told_at_once_and_asked_for_again(
    world: Sandbox,
    right: Answers,
    wrong: dict[str, str],
    again: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    twice = {key: right[key] * 2 for key in again}
    answers = right | twice | {key: [said, *right.get(key, [])] for key, said in wrong.items()}
    walk(at := desk(world, answers))
    assert told in capsys.readouterr().err
    assert at.ask.asked == sum(map(len, answers.values()))


def test_in_french_no_word_is_english(
    world: Sandbox,
    right: Answers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    wrong = {"Webhook URL": ["https://discord.com/nowhere", world.discord_webhook_url]}
    at = desk(world, right | wrong)
    with spoken(at.draft.language):
        walk(at)
    told = "".join(capsys.readouterr())
    assert "Frame.io vous connaît comme Service Account User" in told
    assert "L’adresse donnée n’est pas celle d’un webhook Discord." in told
    assert "2 clips (2 .mov) ; à laisser de côté : 1 autre fichier (1 .txt)." in told.replace(
        "\xa0", " "
    )
    assert not english_in(told)
    assert not english_in(str(world.messages()))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert at.draft.file().studio.language == "fr", "whoever goes on"
