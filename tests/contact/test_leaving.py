"""A visit leaves nothing behind, however it ends, and removes what an earlier one has left."""

from __future__ import annotations

import asyncio
import json
import platform
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from postflow.errors import Fatal
from postflow.frameio import endpoints
from postflow.frameio.models import WireFolder
from postflow.outlet.tunnel import StaticProvider
from postflow.sandbox import Sandbox
from postflow.service.contact.question import QUESTIONS
from postflow.service.contact.report import read_answers
from postflow.service.contact.run import ask_all
from postflow.service.contact.visit import Visit, is_left_over
from tests.support.wait import wait_until

HERE = f"{zlib.crc32(platform.node().encode()):08x}"


async def ask(visit: Visit) -> None:
    await ask_all(visit, StaticProvider(), lambda _: None, questions=QUESTIONS)


@pytest.mark.parametrize(
    "moment",
    [
        "folders.create",
        "shares.create",
        "files.remote_upload",
        "parts.put",
        "version_stacks.create",
    ],
)
async def test_it_may_be_stopped_at_any_moment(moment: str, world: Sandbox, visit: Visit) -> None:
    """Also while Frame.io has done what we asked for, and we have not heard of it."""
    world.fault("late_answer", moment, seconds=30)
    asking = asyncio.create_task(ask(visit))
    await wait_until(lambda: _reached(world, moment), description=moment)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (world.folders(), world.assets(), await _shares(visit)) == ([], [], [])


def _reached(world: Sandbox, moment: str) -> bool:
    """A fault that has struck is armed no more."""
    return moment not in httpx.get(f"{world.url}/sandbox/faults").text


async def _shares(visit: Visit) -> list[str]:
    return [each["id"] for each in (await visit.ask(endpoints.SHARES)).data]


async def test_a_folder_that_cannot_be_removed_is_named(world: Sandbox, visit: Visit) -> None:
    world.fault("status", "folders.delete", code=403, times=None)
    with pytest.raises(Fatal) as failure:
        await ask_all(visit, StaticProvider(), lambda _: None, questions=())
    assert failure.value.code == "contact.left"
    assert visit.name in failure.value.message


@pytest.mark.parametrize(
    ("name", "age", "left_over"),
    [
        (f"postflow-contact-{HERE}-{'a' * 32}", 0, True),
        (f"postflow-contact-{'0' * 8}-{'a' * 32}", 0, False),
        (f"postflow-contact-{'0' * 8}-{'a' * 32}", 2, True),
        ("postflow-contact-sheets", 2, False),
        (f"old postflow-contact-{HERE}-{'a' * 32}", 2, False),
    ],
    ids=["of this machine", "of another one", "of long ago", "of a person", "with more to it"],
)
def test_whatis_left_over(name: str, age: int, left_over: bool) -> None:
    made = datetime.now(UTC) - timedelta(hours=age)
    assert is_left_over(WireFolder(id="1", name=name, created_at=made)) is left_over


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "no report of"),
        ("\xff", "no report of"),
        (None, "No such file"),
        ({"colour": {"answer": "red"}}, "colour is no question"),
        ({"fetch_style": {"answer": "twice"}}, "'twice' is no answer to fetch_style"),
    ],
)
def test_answers_that_are_none(text: object, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "contact.json"
    if isinstance(text, str):
        path.write_text(text, encoding="latin-1")
    elif text:
        path.write_text(json.dumps({"contact": 1, "answers": text}))
    with pytest.raises(Fatal, match=reason) as failure:
        read_answers(path)
    assert failure.value.code == "contact.file"
