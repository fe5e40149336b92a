"""`status`, `history` and `retry`, as a person and as a script reads them."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from pydantic import SecretStr

from postflow.cli.news import News
from postflow.cli.queue import cancel_all, cancel_named, put_first
from postflow.cli.refreshing import refreshed
from postflow.cli.retry import in_its_folder, try_again
from postflow.cli.status import tell_history, tell_status
from postflow.errors import Fatal, Retry
from postflow.ledger import (
    Announcement,
    Ledger,
    Phase,
    claims,
    leases,
    observations,
    outbox,
    progress,
    queries,
    queue,
    retrying,
    roots,
    transitions,
    unannounced,
)
from postflow.ledger.schema import SCHEMA_VERSION
from postflow.models import MediaFile
from postflow.service.console import Terminal
from postflow.state import this_host
from tests.ledger.ground import (
    BROKEN,
    BUSY,
    MISNAMED,
    add,
    add_many,
    bring_to_arrived,
    bring_to_requested,
    claim_one,
    sighting,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """A clip in every phase."""
    root = roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
    add(ledger, root, "SQ07/done.mov")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    add(ledger, root, "failed.mov")
    transitions.fail(ledger, claim_one(ledger), BROKEN)
    add(ledger, root, "skipped.mov")
    transitions.skip(ledger, claim_one(ledger), MISNAMED)
    add(ledger, root, "put off.mov")
    transitions.postpone(ledger, claim_one(ledger), BUSY)
    add(ledger, root, "travels.mov")
    claim_one(ledger)
    observations.observe(ledger, root, [sighting(root, "grows.mov")])
    return ledger


NEWER = "UPDATE meta SET value = '99' WHERE key = 'postflow_schema'"


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_an_empty_ledger_says_so(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    tell_status(ledger, "main")
    assert told(capsys) == "No clip has been seen yet."


def test_a_refused_file_has_its_reason_and_a_remedy(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    root = roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
    observations.observe(ledger, root, [sighting(root, "cut.mov")])
    observations.set_notes(ledger, root, {"cut.mov": "ends in the middle"}, refused={"cut.mov"})
    tell_status(ledger, "main")
    assert "refused cut.mov: ends in the middle → Export it again" in told(capsys)


def test_status_begins_with_a_sum(full: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    tell_status(full, "main")
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "1 settling, 1 waiting, 1 on its way, 1 delivered, 1 skipped, 1 failed"


@pytest.mark.parametrize(
    "sentence",
    [
        "settling grows.mov: just seen",
        f"failed failed.mov {BROKEN.message} → {BROKEN.hint}",
        f"skipped skipped.mov {MISNAMED.message} → {MISNAMED.hint}",
        f"waiting put off.mov {BUSY.message} → {BUSY.hint} It is tried again at",
        f"on its way travels.mov from {this_host()}",
        "delivered SQ07/done.mov through the tunnel http",
    ],
)
def test_status_says_of_each_clip_where_it_stands(
    full: Ledger, capsys: pytest.CaptureFixture[str], sentence: str
) -> None:
    tell_status(full, "main")
    assert sentence in told(capsys)


def test_a_clip_that_waits_has_no_link_to_what_was_withdrawn(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    root = roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
    add(ledger, root, "put off.mov")
    transitions.postpone(ledger, bring_to_requested(ledger, claim_one(ledger)), BUSY)
    tell_status(ledger, "main")
    assert f"waiting put off.mov through the tunnel {BUSY.message}" in told(capsys)


def test_status_says_of_a_delivery_what_was_left_undone(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    root = roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
    add(ledger, root, "loose.mov")
    transitions.postpone_stack(ledger, bring_to_arrived(ledger, claim_one(ledger)), BUSY)
    add(ledger, root, "left loose.mov")
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)), note=BROKEN)
    add(ledger, root, "in turn.mov")
    transitions.leave_stack(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    tell_status(ledger, "main")
    status = told(capsys)
    assert status.startswith("3 delivered")
    assert status.count("Its version stack follows.") == 1
    assert f"Not yet on its version stack. {BUSY.message} → {BUSY.hint} It is tried again" in status
    assert f"Left undone: its version stack, or its message. {BROKEN.message}" in status


def test_a_failure_does_not_drown_in_deliveries(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    add_many(full, roots.add(full, "main", Path("/mnt/show"), "mark-1"), 5)
    for claim in claims.claim(full, "run-2", limit=5):
        transitions.done(full, bring_to_arrived(full, claim))
    tell_status(full, "main", limit=2)
    assert "failed.mov" in told(capsys)


def test_status_of_another_studio_is_its_own(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_status(full, "second")
    assert told(capsys) == "No clip has been seen yet."


def test_scripts_read_status_as_one_json_document(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_status(full, "main", json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["counts"]["failed"] == 1
    assert [each["relpath"] for each in document["settling"]] == ["grows.mov"]
    codes = {clip["relpath"]: clip["code"] for clip in document["clips"]}
    assert codes["failed.mov"] == BROKEN.code


def test_status_says_that_a_person_has_to_sign_in(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = Retry("The Adobe sign-in ends on Friday.", hint="Run `postflow login`.", code="a.b")
    tell_status(full, "main", sign_in=ends)
    assert told(capsys).startswith(f"! {ends.message} → {ends.hint}")
    tell_status(full, "main", sign_in=ends, json=True)
    assert json.loads(capsys.readouterr().out)["sign_in"]["hint"] == ends.hint


def test_status_says_how_far_a_clip_is_and_what_is_left(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    root = roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
    add(ledger, root, "travels.mov", size=1000)
    progress.note(ledger, bring_to_requested(ledger, claim_one(ledger)), 400, 100.0)
    add(ledger, root, "next.mov", size=500)
    put_first(ledger, "main", ["next.mov"])
    capsys.readouterr()
    tell_status(ledger, "main")
    status = told(capsys)
    assert "Left: 2 clips, 1.1 kB, 0:00:11 at 100 bytes/s." in status
    assert "400 bytes of 1.0 kB have left, 0:00:06 at 100 bytes/s" in status
    assert "next.mov It goes before others." in status
    cancel_named(ledger, "main", ["travels.mov"], [], silent)
    tell_status(ledger, "main")
    assert "It is being stopped: cancelled with `postflow cancel`." in told(capsys)


def test_status_tells_of_what_clips_wait_for(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    root = roots.add(ledger, "main", Path("/mnt/show"), "mark-1")
    away = Retry("Frame.io cannot be reached.", hint="Wait.", code="frameio.unreachable")
    add(ledger, root, "a.mov")
    transitions.postpone(ledger, claim_one(ledger), away)
    tell_status(ledger, "main")
    assert "waiting a.mov Frame.io cannot be reached. → Wait. It is tried again at" in told(capsys)


def silent(_clip: int, _media: MediaFile) -> None: ...


@pytest.mark.parametrize(
    ("name", "of_first", "of_cancel"),
    [
        ("put off.mov", "put off.mov goes first.", "put off.mov is cancelled."),
        ("grows.mov", "goes first as soon as it is whole", "it will not travel"),
        ("travels.mov", "is on its way already", "its run stops it within seconds"),
        ("done.mov", "SQ07/done.mov is delivered. http", "SQ07/done.mov is delivered. http"),
        ("failed.mov", "`postflow retry failed.mov`", "`postflow retry failed.mov`"),
        ("skipped.mov", "skipped.mov is skipped", "skipped.mov is skipped"),
        ("unheard of.mov", "No clip called unheard of.mov", "No clip called unheard of.mov"),
    ],
)
def test_a_word_about_a_clip_gets_a_plain_answer(
    name: str, of_first: str, of_cancel: str, full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    may = name in {"put off.mov", "grows.mov", "travels.mov"}
    assert put_first(full, "main", [name]) is may
    first = capsys.readouterr()
    assert cancel_named(full, "main", [name], [], silent) is may
    second = capsys.readouterr()
    assert of_first in " ".join((first.out + first.err).split())
    assert of_cancel in " ".join((second.out + second.err).split())


def test_of_what_was_cancelled_while_it_settled_a_retry_lets_it_go(full: Ledger) -> None:
    cancel_named(full, "main", ["grows.mov"], [], silent)
    assert try_again(full, "main", name="grows.mov") == 1
    assert try_again(full, "main", name="grows.mov") == 0


@pytest.mark.parametrize("answer", ["y", "n"])
def test_all_are_cancelled_only_after_a_yes(
    answer: str, full: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{answer}\n"))
    assert cancel_all(full, "main", silent, asks=True) is (answer == "y")
    said = told(capsys)
    assert "1 settling, 1 waiting, 1 on its way?" in said
    failed = {row.relpath for row in queries.rows(full) if row.code == queue.CANCELLED}
    assert failed == ({"put off.mov"} if answer == "y" else set())
    assert ("Nothing is cancelled" in said) is (answer == "n")


def test_history_has_when_how_long_and_the_link(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    (clip,) = queries.rows(full, phase=Phase.DELIVERED)
    assert clip.finished_at is not None
    tell_history(full, "main")
    line = next(line for line in capsys.readouterr().out.splitlines() if "done.mov" in line)
    assert f"{clip.finished_at.astimezone():%Y-%m-%d %H:%M}" in line
    assert " s  " in line
    assert line.rstrip().endswith(str(clip.view_url))


def test_status_and_history_fit_a_narrow_terminal(
    full: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No word is broken, and what goes on stands below what it belongs to."""
    screen = StringIO()
    narrow = Terminal(file=screen, force_terminal=True, width=60, soft_wrap=True, highlight=False)
    monkeypatch.setattr("postflow.cli.status.out", narrow)
    tell_status(full, "main")
    tell_history(full, "main")
    lines = screen.getvalue().splitlines()
    assert [line for line in lines if len(line) > 60 and "http" not in line] == []
    (clip,) = queries.rows(full, phase=Phase.DELIVERED)
    assert lines.count(f"{'':14}{clip.view_url}") == 2
    assert f"{'':14}→ {BROKEN.hint}"[:60].rpartition(" ")[0] in "\n".join(lines)


def test_no_command_breaks_a_word_at_the_terminals_edge() -> None:
    screen = StringIO()
    narrow = Terminal(file=screen, force_terminal=True, width=40, soft_wrap=True, highlight=False)
    link = f"https://{'long' * 12}.example"
    narrow.print(
        f"[green]✓[/green] Watch folder [bold]/mnt[/bold]: there, and readable; see {link}"
    )
    narrow.print("  → Mend what it says above [once], and begin anew", markup=False)
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in screen.getvalue().splitlines()] == [
        "✓ Watch folder /mnt: there, and",
        "  readable; see",
        f"  {link}",
        "  → Mend what it says above [once], and",
        "    begin anew",
    ]


def test_a_screen_is_drawn_again_until_a_key_says_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, keyboard = os.openpty()
    screen, drawings = StringIO(), iter(range(9))
    narrow = Terminal(file=screen, force_terminal=True, width=60, height=9, highlight=False)
    monkeypatch.setattr("postflow.cli.refreshing.out", narrow)

    def draw() -> None:
        narrow.print(f"drawing {next(drawings)}")
        os.write(ours, b"q" if "drawing 0" in screen.getvalue() else b"x")

    try:
        refreshed(draw, every=60.0, keyboard=keyboard)
    finally:
        os.close(ours)
        os.close(keyboard)
    assert "drawing 0" in screen.getvalue()
    assert "drawing 1" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[?25h\x1b[?1049l")


def test_a_link_is_never_cut_short(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """However narrow the terminal: it is there to be opened."""
    name = f"{'SQ07/' * 30}long.mov"
    add(ledger, roots.add(ledger, "main", Path("/mnt/show"), "mark-1"), name)
    transitions.done(ledger, bring_to_arrived(ledger, claim_one(ledger)))
    (clip,) = queries.rows(ledger, phase=Phase.DELIVERED)
    tell_history(ledger, "main")
    assert f"{name}  {clip.view_url}\n" in capsys.readouterr().out


def test_a_clip_is_tried_again_by_its_name(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert try_again(full, "main", name="failed.mov") == 1
    assert told(capsys) == "failed.mov will be tried again."
    assert queries.counts(full)[Phase.FAILED] == 0


def test_of_several_clips_of_one_name_a_person_says_which(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = roots.add(full, "main", Path("/mnt/extra"))
    add(full, elsewhere, "failed.mov")
    transitions.fail(
        full,
        next(c for c in claims.claim(full, "run-9", limit=9) if c.root == elsewhere.path),
        BROKEN,
    )
    assert try_again(full, "main", name="failed.mov") == 0
    said = capsys.readouterr().err
    assert "Several clips are called failed.mov." in said
    assert "  /mnt/show/failed.mov (failed)\n  /mnt/extra/failed.mov (failed)\n" in said
    assert queries.counts(full)[Phase.FAILED] == 2
    assert try_again(full, "main", name="/mnt/extra/failed.mov") == 1
    (left,) = queries.rows(full, phase=Phase.FAILED)
    assert [each.id for each in retrying.named(full, "/mnt/show/failed.mov")] == [left.id]


def test_a_delivered_clip_is_had_again_only_if_it_was_deleted_in_frameio(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    (done,) = queries.rows(full, phase=Phase.DELIVERED)
    assert try_again(full, "main", name="done.mov") == 0
    assert f"done.mov is delivered. {done.view_url}" in capsys.readouterr().err
    assert try_again(full, "main", name="done.mov", is_gone=lambda clip: clip.id == done.id) == 1
    (again,) = queries.rows(full, name="done.mov")
    assert (again.phase, again.view_url) == (Phase.WAITING, None)


def test_of_two_delivered_ones_of_a_name_each_has_its_own_link(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = roots.add(full, "main", Path("/mnt/extra"))
    add(full, elsewhere, "SQ07/done.mov", content="z")
    mine = next(c for c in claims.claim(full, "run-9", limit=9) if c.root == elsewhere.path)
    transitions.done(full, bring_to_arrived(full, mine, "file-of-extra"))
    links = {each.root: each.view_url for each in queries.rows(full, name="done.mov")}
    assert len(set(links.values())) == 2
    for root, link in links.items():
        assert try_again(full, "main", name=f"{root}/SQ07/done.mov") == 0
        assert f"is delivered. {link}\n" in capsys.readouterr().err


def test_all_failures_are_tried_again_and_nothing_else(full: Ledger) -> None:
    assert try_again(full, "main", name=None, failed=True) == 1
    assert queries.counts(full)[Phase.SKIPPED] == 1


def test_a_name_that_nothing_happened_to_is_told(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert try_again(full, "main", name="unheard.mov") == 0
    assert "No clip called unheard.mov is known" in capsys.readouterr().err
    assert try_again(full, "main", name="SQ07/done.mov") == 0
    assert "SQ07/done.mov is delivered" in capsys.readouterr().err


def test_a_path_into_a_watch_folder_is_as_good_as_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "show"
    (folder / "SQ07").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for given in ("SQ07/a.mov", "./SQ07/a.mov", str(folder / "SQ07" / "a.mov")):
        assert in_its_folder(given, [tmp_path / "other", folder]) == "SQ07/a.mov"
    monkeypatch.chdir(tmp_path)
    assert in_its_folder("show/SQ07/a.mov", [folder]) == "SQ07/a.mov"
    assert in_its_folder("a.mov", [folder]) == "a.mov"


def test_messages_that_discord_refused_are_sent_again(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox.enqueue(full, Announcement(key="a", channel="main", payload={}))
    (message,) = outbox.due(full)
    outbox.refused(full, outbox.sending(full, message, "run-1"), BROKEN)
    assert try_again(full, "main", name=None, messages=True) == 1
    assert told(capsys) == "Messages to be sent again: 1."


@pytest.fixture
def unheard(full: Ledger) -> Ledger:
    """Two messages refused for one reason, one without an answer, one of another webhook."""
    for number, channel in enumerate(["main", "main", "main/0a1b", "main"]):
        outbox.enqueue(
            full, Announcement(key=f"{number}", channel=channel, payload={"title": f"No. {number}"})
        )
        (message,) = outbox.due(full)
        sending = outbox.sending(full, message, "run-1")
        if number == 3:
            outbox.unknown(full, sending)
        else:
            outbox.refused(full, sending, WEBHOOK_GONE)
    return full


WEBHOOK_GONE = Fatal(
    "Discord does not know the webhook.",
    hint="Make a new one. Then `postflow retry --messages`.",
    code="discord.webhook_gone",
)
REFUSED = (
    "! Discord has refused 3 messages: Discord does not know the webhook. "
    "→ Make a new one. Then `postflow retry --messages`. No. 0, No. 1, No. 2 "
)
UNANSWERED = (
    "! 1 message may be missing in Discord: The announcement was sent, and no answer came. "
    "→ Look into the channel. Where it is missing, `postflow retry --messages` sends it again; "
    "`--told` in its place says that it is there. No. 3"
)


def test_status_tells_what_discord_did_not_get(
    unheard: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_status(unheard, "main")
    assert REFUSED + UNANSWERED in told(capsys)
    tell_status(unheard, "main", json=True)
    told_of = json.loads(capsys.readouterr().out)["unannounced"]
    assert (told_of["failed"], told_of["unknown"], told_of["waiting"]) == (3, 1, 0)
    assert told_of["messages"][0]["code"] == "discord.webhook_gone"
    assert "--studio" not in told_of["messages"][0]["hint"]
    assert try_again(unheard, "main", name=None, messages=True) == 4
    capsys.readouterr()
    tell_status(unheard, "main")
    assert "Discord" not in told(capsys)


def test_the_command_is_told_as_it_has_to_be_typed(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    leases.start(ledger, "run-1")
    outbox.enqueue(ledger, Announcement(key="a", channel="north", payload={}))
    (message,) = outbox.due(ledger)
    outbox.refused(ledger, outbox.sending(ledger, message, "run-1"), WEBHOOK_GONE)
    tell_status(ledger, "north")
    assert "`postflow retry --messages --studio north`" in told(capsys)


def test_up_tells_it_once_for_as_long_as_it_is_so(
    unheard: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(News("main", SecretStr(str(tmp_path / "ledger.db")))) as news:
        news.tell()
        assert told(capsys) == REFUSED + UNANSWERED
        news.tell()
        assert told(capsys) == ""
        unannounced.resend(unheard, "main")
        news.tell()
        message = next(each for each in outbox.due(unheard) if each.key == "0")
        outbox.refused(unheard, outbox.sending(unheard, message, "run-1"), WEBHOOK_GONE)
        news.tell()
        assert "Discord has refused 1 message:" in told(capsys)
        with unheard.writing() as tx:
            tx.connection.exec_driver_sql(NEWER)
        for _ in range(2):
            news.tell()
        assert capsys.readouterr().err.count("of a newer PostFlow") == 1
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as database:
            database.execute(NEWER.replace("99", str(SCHEMA_VERSION)))
        for _ in range(2):
            news.tell()
    assert capsys.readouterr().err.count("The ledger answers again.") == 1


def test_a_full_disk_of_the_ledger_is_told_while_it_lasts(
    ledger: Ledger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ledger.without_room() == []
    with closing(News("main", SecretStr(str(tmp_path / "ledger.db")))) as news:
        monkeypatch.setattr("postflow.ledger.ledger.LEAST_ROOM", 2**62)
        for _ in range(2):
            news.tell()
    assert capsys.readouterr().err.count("The disk that holds the ledger is full") == 1
    (full,) = ledger.without_room()
    assert full.code == "ledger.disk_full"


def test_files_of_one_name_in_two_folders_are_told_with_them(
    full: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    other = roots.add(full, "main", Path("/mnt/other"), "mark-2")
    add(full, other, "SQ07/done.mov", content="b")
    transitions.done(full, bring_to_arrived(full, claim_one(full)))
    for tell in (tell_status, tell_history):
        tell(full, "main")
        lines = capsys.readouterr().out
        assert "  /mnt/show/SQ07/done.mov  " in lines
        assert "  /mnt/other/SQ07/done.mov  " in lines
        assert "/mnt/show/failed.mov" not in lines
    tell_status(full, "main", json=True)
    clips = json.loads(capsys.readouterr().out)["clips"]
    assert {clip["root"] for clip in clips} == {"/mnt/show", "/mnt/other"}
