"""What a share's link opens, for whom, and who is told to have looked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from postflow.sandbox import Sandbox
from tests.sandbox.caller import Caller
from tests.sandbox.test_reviews import share

CLIENT = "client@studio.example"


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    """Of somebody who is signed in nowhere."""
    with httpx.Client(follow_redirects=True) as browser:
        yield browser


@pytest.fixture
def clip(world: Sandbox, caller: Caller) -> str:
    return caller.placeholder(world.root_folder_id, "clip.mov")


def made(caller: Caller, *asset_ids: str, **data: Any) -> dict[str, Any]:
    answer = share(caller, asset_ids=list(asset_ids), **data)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def activities(caller: Caller, share_id: str) -> list[tuple[str, str | None, str | None]]:
    """What was done, to which asset, and by whom as far as that is known."""
    found = caller.get(f"/shares/{share_id}/activities", include="user").json()["data"]
    return [(it["type"], it["asset_id"], it["user"] and it["user"]["email"]) for it in found]


def test_who_looks_is_told(caller: Caller, browser: httpx.Client, clip: str) -> None:
    ours = made(caller, clip)
    assert caller.get(f"/shares/{ours['id']}").json()["data"]["last_viewed_at"] is None
    assert "clip.mov" in browser.get(ours["short_url"]).text
    browser.get(f"{ours['short_url']}/{clip}")
    assert activities(caller, ours["id"]) == [
        ("share_viewed", None, None),
        ("asset_viewed", clip, None),
    ]
    assert caller.get(f"/shares/{ours['id']}").json()["data"]["last_viewed_at"]


def test_a_folder_in_a_share_opens_all_that_is_below_it(
    caller: Caller, browser: httpx.Client
) -> None:
    folder = caller.folder("SQ07")
    ours = made(caller, folder)
    stack, _ = caller.stack(caller.folder("00152", folder), "a_v001.mov", "a_v002.mov")
    page = browser.get(ours["short_url"]).text
    assert "a_v001.mov" in page
    assert "a_v002.mov" in page
    listed = caller.get(f"/shares/{ours['id']}/assets").json()["data"]
    assert {it["type"] for it in listed} == {"folder", "version_stack", "file"}
    assert stack in {it["id"] for it in listed}


@pytest.mark.parametrize("switch", ["optional", "required"])
def test_a_passphrase_is_asked_for(switch: str) -> None:
    with (
        Sandbox(share_passphrase=switch) as world,
        Caller(world) as caller,
        httpx.Client(follow_redirects=True) as browser,
    ):
        clip = caller.placeholder(world.root_folder_id, "clip.mov")
        given = {"passphrase": "sesame"} if switch == "optional" else {}
        ours = made(caller, clip, **given)
        assert "clip.mov" not in browser.get(ours["short_url"]).text
        assert browser.get(f"{ours['short_url']}/{clip}").status_code == 404
        wrong = browser.post(ours["short_url"], data={"passphrase": "open"})
        assert "clip.mov" not in wrong.text
        right = browser.post(ours["short_url"], data={"passphrase": ours["passphrase"]})
        assert "clip.mov" in right.text
        assert browser.get(f"{ours['short_url']}/{clip}").status_code == 200


def test_a_secure_share_opens_for_those_invited(
    caller: Caller, browser: httpx.Client, clip: str
) -> None:
    ours = made(caller, clip, access="secure")
    path = f"/shares/{ours['id']}/reviewers"
    assert "clip.mov" not in browser.post(ours["short_url"], data={"email": CLIENT}).text
    invited = caller.post(path, message="Please look.", reviewers={"emails": [CLIENT]})
    assert invited.status_code == 204
    assert [it["email"] for it in caller.get(path).json()["data"]] == [CLIENT]
    assert "clip.mov" in browser.post(ours["short_url"], data={"email": CLIENT}).text
    assert activities(caller, ours["id"]) == [("share_viewed", None, CLIENT)]
    body = {"data": {"reviewers": {"emails": [CLIENT]}}}
    assert caller.http.request("DELETE", caller.account + path, json=body).status_code == 204
    assert "clip.mov" not in browser.get(ours["short_url"]).text


def test_of_a_public_share_an_invitation_is_a_mail(
    world: Sandbox, caller: Caller, clip: str
) -> None:
    ours = made(caller, clip)
    path = f"/shares/{ours['id']}/reviewers"
    caller.post(path, message="Please look.", reviewers={"emails": [CLIENT]})
    assert caller.get(path).json()["data"] == []
    assert world.shares()[0]["mailed"] == [CLIENT]


@pytest.mark.parametrize("reviewers", [{}, {"emails": [CLIENT], "user_ids": ["x"]}, {"emails": []}])
def test_an_invitation_names_people_in_one_way(
    caller: Caller, clip: str, reviewers: dict[str, Any]
) -> None:
    path = f"/shares/{made(caller, clip)['id']}/reviewers"
    assert caller.post(path, message="Please look.", reviewers=reviewers).status_code == 422


@pytest.mark.parametrize(
    ("change", "status"),
    [({"enabled": False}, 404), ({"expiration": "2026-01-01T00:00:00Z"}, 410), (None, 404)],
)
def test_a_link_that_is_revoked_expired_or_deleted_opens_nothing(
    world: Sandbox,
    caller: Caller,
    browser: httpx.Client,
    clip: str,
    change: dict[str, Any] | None,
    status: int,
) -> None:
    ours = made(caller, clip)
    control = f"{world.url}/sandbox/shares/{ours['id']}"
    if change is None:
        httpx.delete(control)
    else:
        httpx.patch(control, json=change)
    assert browser.get(ours["short_url"]).status_code == status


def test_downloads_are_off_unless_asked_for(
    caller: Caller, browser: httpx.Client, clip: str
) -> None:
    shut, open_ = made(caller, clip), made(caller, clip, downloading_enabled=True)
    assert browser.get(f"{shut['short_url']}/{clip}/download").status_code == 404
    browser.get(f"{open_['short_url']}/{clip}/download")
    assert activities(caller, shut["id"]) == []
    assert activities(caller, open_["id"]) == [("asset_downloaded", clip, None)]


@pytest.mark.parametrize(("switch", "status"), [("ignore", 200), ("refuse", 409)])
def test_an_asset_that_is_in_it_already(switch: str, status: int) -> None:
    with Sandbox(share_again=switch) as world, Caller(world) as caller:
        clip = caller.placeholder(world.root_folder_id, "clip.mov")
        ours = made(caller, clip)
        assert caller.post(f"/shares/{ours['id']}/assets", asset_id=clip).status_code == status
        assert world.shares()[0]["asset_ids"] == [clip]
