"""Who comes in, and what a foreign page or a foreign name may not do."""

from __future__ import annotations

import re

import pytest

from postflow.ledger import Ledger, Phase, queries
from postflow.page.door import Door, Role
from postflow.servers import is_ours, password
from tests.page.ground import BOARD, PASSWORD, READING, Person, Served

FAILED = "SQ07_UNDLM_00001_v001.mov"
PATHS = ("/", BOARD, f"{BOARD}live", f"{BOARD}clip/1", f"{BOARD}clip/1/picture")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4280", "127.0.0.1.evil.example", ""]
)
async def test_a_foreign_name_is_answered_nothing(person: Person, host: str) -> None:
    for path in (BOARD, "/sign-in", "/static/page.js"):
        assert (await person.get(path, headers={"Host": host})).status_code == 421


@pytest.mark.parametrize("path", PATHS)
async def test_who_is_not_signed_in_sees_nothing(page: Served, path: str) -> None:
    async with Person(page.url, None) as stranger:
        answer = await stranger.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


async def test_a_wrong_password_opens_nothing(page: Served) -> None:
    async with Person(page.url, None) as stranger:
        for wrong in ("", "postflow", "postflow:", PASSWORD[:-1]):
            answer = await stranger.post("/sign-in", data={"password": wrong})
            assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=nonsense", b"password=x"),
        ("application/x-www-form-urlencoded", b"password=\xb2"),
        ("multipart/form-data", b"--"),
    ],
)
async def test_what_is_no_form_is_no_fault_of_ours(
    page: Served, kind: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with Person(page.url, None) as stranger:
        answer = await stranger.post("/sign-in", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 400
        assert (await stranger.get(f"/{'x' * 9000}")).status_code == 400
    assert "Traceback" not in caplog.text


async def test_the_cookie_is_for_this_page_alone(page: Served) -> None:
    async with Person(page.url, None) as stranger:
        answer = await stranger.post("/sign-in", data={"password": f" {PASSWORD}\n"})
        parts = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(parts)
    assert PASSWORD not in parts[0]


@pytest.mark.parametrize(("own", "role"), [(PASSWORD, Role.ACT), (READING, Role.READ)])
def test_a_password_opens_without_the_name_that_leads_it(own: str, role: Role) -> None:
    door = Door(PASSWORD, READING)
    assert door.role_for(own) is door.role_for(own.removeprefix("postflow:")) is role
    assert Door("postflow:", "bare").role_for("") is None


def test_a_session_cannot_be_made_up() -> None:
    door = Door(PASSWORD, READING)
    looking, acting = door.session(Role.READ), door.session(Role.ACT)
    assert (door.role_in(looking), door.role_in(acting)) == (Role.READ, Role.ACT)
    older = re.sub(r"\.\d+\.", ".1.", acting, count=1)
    for forged in (
        "",
        "act",
        "act.9999999999.x.",
        looking.replace("read", "act"),
        older,
        "é.1.2.3",
    ):
        assert door.role_in(forged) is None
    assert Door("another", READING).role_in(acting) is None


async def test_an_address_that_leads_nowhere_leads_back(person: Person) -> None:
    for path in ("/nowhere", f"{BOARD}clip/99", "/studio/none/"):
        answer = await person.get(path)
        assert (answer.status_code, answer.headers["Content-Type"][:9]) == (404, "text/html")
        assert '<main id="main"' in answer.text
        assert '<a href="/">' in answer.text
    plainly = await person.get(f"{BOARD}clip/99", headers={"Accept": "application/json"})
    assert plainly.text == "There is no such clip."


async def test_every_answer_says_what_browsers_may_do_with_it(person: Person) -> None:
    for path in (BOARD, "/sign-in", "/static/page.css", "/nowhere", f"{BOARD}clip/99"):
        told = (await person.get(path)).headers
        assert "script-src 'self'" in told["Content-Security-Policy"]
        assert "unsafe" not in told["Content-Security-Policy"]
        assert told["X-Frame-Options"] == "DENY"
        assert told["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("whose", "origin", "token"),
    [
        (READING, None, None),
        (PASSWORD, "http://evil.example", None),
        (PASSWORD, "null", None),
        (PASSWORD, "", None),
        (PASSWORD, None, "0" * 64),
        (PASSWORD, None, ""),
    ],
)
async def test_nothing_is_done_for_who_may_only_look_or_for_a_foreign_page(
    page: Served, person: Person, ledger: Ledger, whose: str, origin: str | None, token: str | None
) -> None:
    """With all the rest in order."""
    fields = (await person.sees()).split('name="token" value="')[1][:64]
    async with Person(page.url, whose) as other:
        own = (await other.sees()).split('name="token" value="')
        given = own[1][:64] if len(own) > 1 else fields
        headers = {"Origin": page.url if origin is None else origin}
        data = {"token": given if token is None else token, "action": "retry"}
        data |= {"root": "1", "path": f"exports/{FAILED}", "clip": "2"}
        answer = await other.post(f"{BOARD}act", data=data, headers=headers)
    assert answer.status_code == 403
    assert queries.counts(ledger)[Phase.FAILED] == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_nothing_is_done_but_by_a_form(person: Person, ledger: Ledger, method: str) -> None:
    answer = await person.request(method, f"{BOARD}act?action=retry&root=1&clip=2")
    assert answer.status_code == 405
    assert queries.counts(ledger)[Phase.FAILED] == 1


async def test_who_may_only_look_has_no_buttons(page: Served) -> None:
    async with Person(page.url, READING) as looking:
        seen = await looking.sees() + await looking.sees(f"{BOARD}clip/2")
    assert FAILED in seen
    assert "for looking only" in seen
    assert "data-acts" not in seen


async def test_signing_out_ends_it(person: Person) -> None:
    await person.post("/sign-out")
    assert (await person.get(BOARD)).status_code == 303


async def test_it_proves_to_commands_that_it_knows_the_password(
    page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before `postflow ui` sends somebody there with it."""
    monkeypatch.delenv("PREFECT_SERVER_API_AUTH_STRING", raising=False)  # of an earlier test
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", PASSWORD)
    assert password() == PASSWORD
    assert await _asked_outside(page.url)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "another")
    assert not await _asked_outside(page.url)


async def _asked_outside(url: str) -> bool:
    import asyncio

    return await asyncio.to_thread(is_ours, url)
