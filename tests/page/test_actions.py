"""What a person does to a clip on the page."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from postflow.ledger import Clip, Ledger, Phase, Root, observations, outbox, queries
from postflow.ledger.queue import CANCELLED
from postflow.ledger.schema import clips
from tests.ledger.ground import sighting
from tests.page.ground import BOARD, NAME, READING, ROOT, Person, Served, form_of, line_of

FAILED, SKIPPED, TRAVELS, WAITS = (NAME.format(f"00{number}") for number in (1, 2, 3, 4))
GROWS = "grows.mov"


def clip_called(ledger: Ledger, name: str) -> Clip:
    (clip,) = queries.rows(ledger, name=name)
    return clip


@pytest.mark.parametrize("name", [FAILED, SKIPPED])
async def test_retry(person: Person, ledger: Ledger, name: str) -> None:
    answer = await person.presses("retry", name)
    assert answer.json() == {"name": name, "text": "will be tried again.", "done": True}
    assert clip_called(ledger, name).phase is Phase.WAITING
    assert queries.steps(ledger, clip_called(ledger, name).id)[-1].event == "retry"


async def test_first(person: Person, ledger: Ledger) -> None:
    assert (await person.presses("first", WAITS)).json()["text"] == "goes first."
    assert clip_called(ledger, WAITS).priority == 1
    assert "It goes before others." in line_of(await person.sees(), WAITS)


async def test_cancel(person: Person, ledger: Ledger) -> None:
    assert (await person.presses("cancel", WAITS)).json()["done"]
    clip = clip_called(ledger, WAITS)
    assert (clip.code, clip.reason) == (
        CANCELLED,
        f"Somebody cancelled {WAITS} on PostFlow's page.",
    )
    assert outbox.due(ledger) == []


async def test_what_travels_is_stopped_by_its_run(person: Person, ledger: Ledger) -> None:
    assert "its run stops it" in (await person.presses("cancel", TRAVELS)).json()["text"]
    assert clip_called(ledger, TRAVELS).cancelled
    line = line_of(await person.sees(), TRAVELS)
    assert "It is being stopped." in line
    assert "<button" not in line


async def test_a_file_that_settles_is_cancelled_and_taken_back(
    person: Person, ledger: Ledger, root: Root
) -> None:
    observations.observe(ledger, root, [sighting(root, f"in/{GROWS}")])
    assert "will not travel" in (await person.presses("cancel", GROWS)).json()["text"]
    assert "It will not travel." in line_of(await person.sees(), GROWS)
    assert (await person.presses("retry", GROWS)).json()["done"]
    assert (await person.presses("first", GROWS)).json()["text"].startswith("goes first as soon")


async def test_what_is_over_meanwhile_is_said(person: Person, ledger: Ledger) -> None:
    fields = form_of(await person.sees(), WAITS) | {"action": "cancel"}
    await person.presses("cancel", WAITS)
    again = await person.post(f"{BOARD}act", data=fields, headers={"Accept": "application/json"})
    assert again.json() == {"name": WAITS, "text": "does not wait any more.", "done": False}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"clip": "99"}, 404),
        ({"root": "99"}, 404),
        ({"path": "exports/other.mov"}, 404),
        ({"root": "x"}, 400),
        ({"clip": "9" * 30}, 400),
        ({"action": "explode"}, 404),
    ],
)
async def test_a_form_names_what_is_there(
    person: Person, changed: dict[str, str], status: int
) -> None:
    assert (await person.presses("retry", FAILED, **changed)).status_code == status


async def test_without_a_script_the_answer_is_a_page(person: Person) -> None:
    fields = form_of(await person.sees(), FAILED) | {"action": "retry"}
    answer = await person.post(f"{BOARD}act", data=fields)
    assert "will be tried again." in answer.text
    assert f'href="{BOARD}"' in answer.text


async def test_a_clip_tells_its_whole_history(person: Person, ledger: Ledger) -> None:
    html = await person.sees(f"{BOARD}clip/{clip_called(ledger, FAILED).id}")
    for told in (
        "Found whole in the watch folder",
        "Taken up by a run",
        "Failed",
        "/mnt/show/main/",
    ):
        assert told in html


async def test_under_another_name(person: Person, page: Served, ledger: Ledger, root: Root) -> None:
    """Sequence and shot are those of the nearest right name; where it goes is said before."""
    wrong = "SQ08_UNDLM_00205_v001 final.mov"
    with ledger.writing() as tx:
        renamed = {"name": wrong, "relpath": f"in/{wrong}", "disk_path": f"in/{wrong}"}
        tx.execute(update(clips).where(clips.c.id == 3).values(renamed))
    clip = f"{BOARD}clip/3"
    html = await person.sees(clip)
    assert 'name="sequence" value="SQ08"' in html
    assert 'name="shot" value="00205"' in html
    assert "2_FROM_ANIM/SQ08/UNDLM_00205" in html
    meant = await person.sees(f"{clip}/meant?sequence=SQ09&shot=00010")
    assert "2_FROM_ANIM/SQ09/UNDLM_00010" in meant
    assert "is no sequence" in await person.sees(f"{clip}/meant?sequence=%3Cx%3E&shot=1")

    token = html.split('name="token" value="')[1][:64]
    values = {"token": token, "sequence": "SQ09", "shot": "00010"}
    refused = await person.post(f"{clip}/deliver", data=values | {"sequence": "nine"})
    assert page.asked == []
    assert "is no sequence" in refused.text
    answer = await person.post(f"{clip}/deliver", data=values)
    assert "is handed over" in answer.text
    assert page.asked == [(ROOT / "main" / "in" / wrong, "SQ09", "00010")]

    async with Person(page.url, READING) as looking:
        assert (await looking.post(f"{clip}/deliver", data=values)).status_code == 403
    assert len(page.asked) == 1
