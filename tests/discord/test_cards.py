"""What messages say, and that Discord takes every one of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from postflow.discord import Card
from postflow.discord.card import human_duration, plain
from postflow.discord.cards import (
    failed_card,
    on_its_way_card,
    ready_card,
    stacked_payload,
    unstacked_payload,
)
from postflow.discord.summary import batch_card, skipped_card
from postflow.errors import Fatal, Skip
from postflow.language import human_size, spoken
from postflow.ledger import Namesake
from postflow.models import Delivery, MediaFile, Shot
from postflow.naming import Naming
from postflow.sandbox.discord.forms import Refusal, read_form
from tests.discord.conftest import NOON, delivery_of, media_named
from tests.discord.summaries import MakeClip, batch_of, clip_done, clip_failed, clip_waiting
from tests.support.texts import texts


def embed_of(card: Card) -> dict[str, Any]:
    payload = card.payload()
    assert payload["allowed_mentions"] == {"parse": []}
    (embed,) = payload["embeds"]
    return dict(embed)


def lines_of(card: Card) -> dict[str, str]:
    return {field["name"]: field["value"] for field in embed_of(card)["fields"]}


@pytest.fixture
def shot(media: MediaFile) -> Shot:
    return Naming.preset().identify(media.name)


def test_on_its_way_tells_what_travels_where(media: MediaFile, shot: Shot) -> None:
    card = on_its_way_card(media, shot, project="UNDLM")

    assert embed_of(card)["color"] == 0xFFA500
    assert embed_of(card)["title"] == r"SQ07 UNDLM\_00152 v003 is on its way"
    assert lines_of(card) == {
        "Sequence": "SQ07",
        "Shot": r"UNDLM\_00152",
        "Version": "v003",
        "File": r"SQ07\_UNDLM\_00152\_v003.mov",
        "Size": "831 MB",
        "Folder": r"2\_FROM\_ANIM/SQ07/UNDLM\_00152",
        "Project": "UNDLM",
    }


def test_ready_tells_the_journey_and_links_to_it(delivery: Delivery) -> None:
    card = ready_card(delivery, project="UNDLM")

    embed = embed_of(card)
    assert embed["color"] == 0x00FF00
    assert embed["url"] == "https://next.frame.io/p/view/f"
    assert embed["timestamp"] == "2026-11-22T12:02:05+00:00"
    assert lines_of(card)["Delivered in"] == "2 min 05 s"
    assert lines_of(card)["For members"] == "[Open in Frame.io](https://next.frame.io/p/view/f)"
    assert card.buttons == (("Open in Frame.io", "https://next.frame.io/p/view/f"),)


def test_failed_tells_what_happened_and_what_to_do(media: MediaFile, shot: Shot) -> None:
    error = Fatal("ngrok refused.", hint="Put in another token.", code="tunnel.ngrok.105")

    card = failed_card(media, shot, error, project="UNDLM")

    assert embed_of(card)["color"] == 0xFF0000
    assert embed_of(card)["description"] == "ngrok refused."
    assert lines_of(card)["What to do"] == "Put in another token."
    assert lines_of(card)["Code"] == "tunnel.ngrok.105"


def test_a_reader_without_a_terminal_learns_where_a_command_is_typed(media: MediaFile) -> None:
    error = Fatal("The sign-in has ended.", hint="Run `postflow login`.", code="adobe.signed_out")
    footer = embed_of(failed_card(media, None, error))["footer"]["text"]
    assert footer == "Commands are typed on the machine that runs PostFlow."
    hello = Card(title="PostFlow is being set up", colour=0, description="postflow, the program")
    assert embed_of(hello)["footer"]["text"] == "PostFlow"


def test_failed_needs_no_shot(media: MediaFile) -> None:
    error = Skip("No such name.", hint="", code="name.unknown")

    card = failed_card(media, None, error)

    assert embed_of(card)["title"] == r"SQ07\_UNDLM\_00152\_v003.mov has failed"
    assert "What to do" not in lines_of(card)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "", "file:///etc/passwd", "https://x/" + "a" * 600]
)
def test_what_is_no_web_address_is_not_linked(media: MediaFile, url: str) -> None:
    card = ready_card(delivery_of(media, url), project="UNDLM")

    assert "For members" not in lines_of(card)
    assert "url" not in embed_of(card)
    assert card.payload()["components"] == []


def test_link_cannot_be_broken_out_of(media: MediaFile) -> None:
    card = ready_card(delivery_of(media, "https://x/a) [b](https://evil"), project="UNDLM")

    assert (
        lines_of(card)["For members"]
        == "[Open in Frame.io](https://x/a%29%20%5Bb%5D%28https://evil)"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@everyone", r"\@everyone"),
        ("<@123456>", r"\<\@123456\>"),
        ("**bold** _it_ ~~no~~", r"\*\*bold\*\* \_it\_ \~\~no\~\~"),
        ("`code`", r"\`code\`"),
        ("||hidden||", r"\|\|hidden\|\|"),
        ("[a](https://evil)", r"\[a\]\(https\://evil\)"),
        ("# big", r"\# big"),
        ("back\\slash", r"back\\slash"),
        ("line\nbreak\u202e\x00", "line break"),
        ("", "(empty)"),
    ],
)
def test_markup_in_names_stays_text(text: str, shown: str) -> None:
    assert plain(text, 100) == shown


KINDS = [clip_done, clip_failed, clip_waiting]


@given(
    texts(400),
    texts(9000),
    texts(9000),
    st.lists(st.sampled_from(KINDS), max_size=40),
)
@settings(max_examples=50, deadline=None)
def test_discord_takes_every_card(
    name: str, message: str, hint: str, kinds: list[MakeClip]
) -> None:
    """The sandbox checks each form by Discord's limits; a hostile text never breaks one."""
    media = media_named(f"a{name}".replace("/", "").replace("\0", ""))
    shot = Shot(
        file_name=name, rule="x", sequence=name, shot=name, version=name,
        folder=(name, name), stack=name,
    )  # fmt: skip
    error = Fatal(message, hint=hint, code=name)
    delivery = delivery_of(media_named("SQ07_UNDLM_00152_v003.mov")).model_copy(
        update={"shot": shot, "media": media}
    )
    cards = [
        on_its_way_card(media, shot, project=name),
        ready_card(delivery, project=name),
        failed_card(media, shot, error, project=name),
        failed_card(media, None, error),
        batch_card(batch_of(*[make(name, reason=message, hint=hint) for make in kinds])),
        *([skipped_card({f"{n}{name}": error for n in range(len(kinds))})] if kinds else []),
    ]
    for card in cards:
        form = read_form(card.payload(), with_components=True)
        assert form.mentioned() == {"mention_everyone": False, "mention_roles": []}


@pytest.mark.parametrize(
    "too_much",
    [
        {"title": "x" * 257},
        {"description": "x" * 4097},
        {"lines": (("x" * 257, "y"),)},
        {"lines": (("x", "y" * 1025),)},
        {"lines": (("x", ""),)},
        {"lines": (("x", "y"),) * 26},
        {"description": "x" * 4000, "lines": (("x", "y" * 1000),) * 2},
    ],
)
def test_card_beyond_the_limits_cannot_be_made_and_the_sandbox_refuses_it_too(
    too_much: dict[str, Any],
) -> None:
    fine = Card(title="fine", colour=0, at=NOON)
    with pytest.raises(ValidationError):
        Card.model_validate({**fine.model_dump(), **too_much})
    with pytest.raises(Refusal) as refusal:
        read_form(fine.model_copy(update=too_much).payload())
    assert refusal.value.body["code"] == 50035


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (999_600, "1.0 MB"),
        (831_000_000, "831 MB"),
        (2_147_483_648, "2.1 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes_are_told_in_decimal_units(size: int, shown: str) -> None:
    assert human_size(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0 s"), (8.4, "8 s"), (59.9, "1 min 00 s"), (125, "2 min 05 s"), (4320, "1 h 12 min")],
)
def test_durations_are_told_as_people_do(seconds: float, shown: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == shown


def test_what_was_exported_again_says_so(delivery: Delivery) -> None:
    before = Namesake(root="/mnt/A", relpath="a/x.mov", is_same_path=True, finished_at=NOON)
    card = ready_card(delivery, project="UNDLM", namesake=before)
    when = f"{NOON.astimezone():%Y-%m-%d at %H:%M}"
    assert read(card.description) == f"Exported again: it replaces what was delivered on {when}."
    assert ready_card(delivery, project="UNDLM").description is None


@pytest.mark.parametrize(("finished", "when"), [(NOON, "on "), (None, "just now ")])
def test_two_files_of_one_name_and_version_are_told_of(
    delivery: Delivery, finished: datetime | None, when: str
) -> None:
    """From where the other came: with its root's name, whatever that holds."""
    before = Namesake(
        root="/mnt/editor *B*", relpath="out/x.mov", is_same_path=False, finished_at=finished
    )
    card = ready_card(delivery, project="UNDLM", namesake=before)
    told = read(card.description)
    assert told.startswith("⚠ Another file of this name and version, with other content, was")
    assert f"delivered {when}" in told
    assert "from editor *B*/out/x.mov." in told


def read(text: str | None) -> str:
    """As Discord shows it."""
    return re.sub(r"\\(.)", r"\1", text or "")


def _texts(card: Card) -> list[str]:
    shown = [card.title, card.description or ""]
    return [*shown, *(": ".join(line) for line in card.lines), *(b[0] for b in card.buttons)]


BUSY = Fatal("ngrok refused.", hint="Put in another token.", code="tunnel.ngrok.105")
BEFORE = Namesake(root="/mnt/B", relpath="b/SQ07_v1.mov", is_same_path=True, finished_at=NOON)


@pytest.mark.parametrize(
    ("make", "english", "french"),
    [
        (
            lambda media, shot: on_its_way_card(media, shot, project="UNDLM"),
            ["{} is on its way", "Sequence: SQ07", "Size: 831 MB", "Project: UNDLM"],
            ["{} est en cours d’envoi", "Séquence: SQ07", "Taille: 831 Mo", "Projet: UNDLM"],
        ),
        (
            lambda media, shot: failed_card(media, shot, BUSY, project="UNDLM"),
            ["{} has failed", "ngrok refused.", "What to do: Put in another token."],
            ["Échec de la livraison de {}", "ngrok refused.", "Que faire: Put in another token."],
        ),
        (
            lambda media, _: ready_card(delivery_of(media), project="UNDLM", namesake=BEFORE),
            ["{} is ready for review", "Delivered in: 2 min 05 s", "Open in Frame.io"],
            ["{} est prêt à visionner", "Livré en: 2 min 05 s", "Ouvrir dans Frame.io"],
        ),
        (
            lambda media, _: ready_card(
                delivery_of(media).model_copy(update={"stack_follows": True, "way": "direct"}),
                project="UNDLM",
            ),
            ["Version stack: follows", "Delivered in: 2 min 05 s, directly"],
            ["Pile de versions: à suivre", "Livré en: 2 min 05 s, en direct"],
        ),
        (
            lambda *_: batch_card(batch_of(clip_done(size=1_500_000_000), clip_failed())),
            ["1 of 2 clips is ready for review", "Delivered: 1 (1.5 GB)", "Failed: 1"],
            ["1 clip sur 2 est prêt à visionner", "Livré: 1 (1,5 Go)", "En échec: 1"],
        ),
        (
            lambda *_: skipped_card({"a.mov": BUSY, "b.mov": BUSY}),
            ["2 clips have names PostFlow does not know"],
            ["2 clips portent un nom que PostFlow ne reconnaît pas"],
        ),
    ],
)
def test_a_message_is_in_the_studios_language(
    media: MediaFile,
    shot: Shot,
    make: Callable[[MediaFile, Shot], Card],
    english: list[str],
    french: list[str],
) -> None:
    clip = r"SQ07 UNDLM\_00152 v003"
    assert {text.format(clip) for text in english} <= set(_texts(make(media, shot)))
    with spoken("fr"):
        assert {text.format(clip) for text in french} <= set(_texts(make(media, shot)))


def test_a_re_export_says_when_in_the_studios_language(delivery: Delivery) -> None:
    with spoken("fr"):
        told = ready_card(delivery, project="UNDLM", namesake=BEFORE).description or ""
    assert told.startswith("Réexport \\: remplace ce qui a été livré le 22 nov. 2026 à")


def test_a_message_from_before_the_language_was_changed_is_edited_all_the_same(
    delivery: Delivery,
) -> None:
    follows = delivery.model_copy(update={"stack_follows": True})
    payload = ready_card(follows, project="UNDLM").model_dump(mode="json")
    with spoken("fr"):
        unstacked = unstacked_payload(payload)["lines"]
        assert ["Pile de versions", "n’a pas pu être créée"] in unstacked
    assert "Pile de versions" not in str(stacked_payload(payload | {"lines": unstacked}))
