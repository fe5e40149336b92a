"""What the real API refuses is refused here, in its words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from postflow.sandbox import Sandbox
from tests.sandbox.caller import Caller

UNKNOWN = "00000000-0000-4000-8000-000000000000"
RATE_HEADERS = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-window"}


def complaint(answer: httpx.Response) -> tuple[str, str]:
    """Detail and pointer of the one error of a 422."""
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    return error["detail"], error["source"]["pointer"]


@pytest.mark.parametrize(
    ("body", "detail", "pointer"),
    [
        ({"name": "a"}, "Unexpected field: name", "/name"),
        ({"data": {"nam": "a"}}, "Unexpected field: nam", "/data/nam"),
        ({"data": {"name": 7}}, "Invalid string. Got: integer", "/data/name"),
        ({"data": {"name": ""}}, "String length is smaller than minLength: 1", "/data/name"),
        (
            {"data": {"name": "x" * 256}},
            "String length is larger than maxLength: 255",
            "/data/name",
        ),
        ({"data": []}, "Invalid object. Got: array", "/data"),
    ],
)
def test_wrong_folder_bodies_are_422(
    world: Sandbox, caller: Caller, body: Any, detail: str, pointer: str
) -> None:
    path = f"{caller.account}/folders/{world.root_folder_id}/folders"
    answer = caller.http.post(path, json=body)

    assert answer.status_code == 422
    errors = [(it["detail"], it["source"]["pointer"]) for it in answer.json()["errors"]]
    assert (detail, pointer) in errors
    assert world.folders() == []


@pytest.mark.parametrize(
    ("data", "detail", "pointer"),
    [
        ({"name": "a.mov"}, "Missing field: source_url", "/data/source_url"),
        ({"source_url": "http://a/"}, "Missing field: name", "/data/name"),
        ({"name": "a", "source_url": "ftp://a/"}, "Invalid URL", "/data/source_url"),
        ({"name": "a", "source_url": None}, "Invalid string. Got: null", "/data/source_url"),
    ],
)
def test_wrong_remote_uploads_are_422(
    world: Sandbox, caller: Caller, data: dict[str, Any], detail: str, pointer: str
) -> None:
    answer = caller.post(f"/folders/{world.root_folder_id}/files/remote_upload", **data)

    assert complaint(answer) == (detail, pointer)
    assert world.assets() == []


@pytest.mark.parametrize("size", [0, 5 * 10**12 + 1, "7", True, 1.5])
def test_sizes_that_cannot_be_uploaded_are_422(
    world: Sandbox, caller: Caller, size: object
) -> None:
    """Nothing is converted: a string with digits is no integer."""
    path = f"/folders/{world.root_folder_id}/files/local_upload"
    answer = caller.post(path, name="a", file_size=size)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"page_size": 501}, "/page_size"),
        ({"page_size": 0}, "/page_size"),
        ({"page_size": "many"}, "/page_size"),
        ({"page_size": "٣"}, "/page_size"),
        ({"include": "owner"}, "/include"),
        ({"sort": "size_asc"}, "/sort"),
        ({"type": "movie"}, "/type"),
        ({"after": "xyz"}, "/after"),
        ({"include_total_count": "yes"}, "/include_total_count"),
        ({"limit": 5}, "/limit"),
    ],
)
def test_wrong_queries_are_422(
    world: Sandbox, caller: Caller, query: dict[str, Any], pointer: str
) -> None:
    answer = caller.get(f"/folders/{world.root_folder_id}/children", **query)

    assert complaint(answer)[1] == pointer


def test_switch_lets_unknown_query_parameters_pass() -> None:
    with Sandbox(strict_query=False) as world, Caller(world) as caller:
        answer = caller.get(f"/folders/{world.root_folder_id}/children", limit=5)

    assert answer.status_code == 200


def test_page_size_may_be_500_in_a_folder_and_100_elsewhere(world: Sandbox, caller: Caller) -> None:
    stack, _ = caller.stack(world.root_folder_id, "v1.mov", "v2.mov")

    assets = caller.get(f"/folders/{world.root_folder_id}/children", page_size=500)
    projects = caller.get("/projects", page_size=101)
    versions = caller.get(f"/version_stacks/{stack}/children", page_size=101)

    assert assets.status_code == 200
    assert (projects.status_code, versions.status_code) == (422, 422)


def test_switch_bounds_what_the_account_may_hold() -> None:
    with Sandbox(storage_limit=10) as world, Caller(world) as caller:
        caller.placeholder(world.root_folder_id, "a.mov", size=10)
        path = f"/folders/{world.root_folder_id}/files/local_upload"
        answer = caller.post(path, name="b.mov", file_size=1)
        (account,) = caller.http.get("/v4/accounts").json()["data"]

    assert answer.status_code == 403
    assert answer.json()["errors"] == [{"detail": "Storage limit exceeded"}]
    assert (account["storage_usage"], account["storage_limit"]) == (10, 10)


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic abc", "Bearer"])
def test_without_a_good_token_all_is_401(world: Sandbox, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.get(f"{world.url}/v4/me", headers=headers)

    assert answer.status_code == 401
    error = {"title": "Unauthorized", "detail": "Invalid or missing authorization token"}
    assert answer.json() == {"errors": [error]}


def test_token_without_the_roles_scope_is_401_everywhere(world: Sandbox) -> None:
    """The same bare 401: nothing tells which scope is missing."""
    token = world.tokens(scope="openid email profile offline_access")["access_token"]
    with Caller(world, token) as caller:
        answers = [caller.http.get("/v4/me"), caller.get("/projects"), caller.get("/workspaces")]

    assert [answer.status_code for answer in answers] == [401, 401, 401]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/folders/{UNKNOWN}", 404),
        (f"/files/{UNKNOWN}", 404),
        (f"/files/{UNKNOWN}/status", 404),
        (f"/version_stacks/{UNKNOWN}", 404),
        (f"/projects/{UNKNOWN}", 404),
        (f"/workspaces/{UNKNOWN}", 404),
        (f"/shares/{UNKNOWN}", 404),
        (f"/webhooks/{UNKNOWN}", 404),
        ("/folders/not-an-id", 422),
        ("/nothing/like/this", 404),
    ],
)
def test_what_is_not_there(caller: Caller, path: str, status: int) -> None:
    answer = caller.get(path)

    assert answer.status_code == status
    assert answer.json()["errors"][0]["detail"]


def test_another_account_is_403(caller: Caller) -> None:
    assert caller.http.get(f"/v4/accounts/{UNKNOWN}/projects").status_code == 403


def test_a_file_is_no_folder(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "a.mov")

    assert caller.get(f"/folders/{file}").status_code == 404


def test_rate_headers_and_version_stand_on_every_answer(world: Sandbox, caller: Caller) -> None:
    world.fault("status", "me", code=500)
    answers = [
        caller.http.get("/v4/me"),
        caller.http.get("/v4/me"),
        caller.get(f"/files/{UNKNOWN}"),
        caller.get("/nothing"),
        caller.post(f"/folders/{world.root_folder_id}/folders", nam="a"),
        httpx.get(f"{world.url}/v4/me"),
    ]

    assert [answer.status_code for answer in answers] == [500, 200, 404, 404, 422, 401]
    assert all(set(answer.headers) >= RATE_HEADERS for answer in answers)
    assert {answer.headers["api-version"] for answer in answers} == {"4.0"}


def test_body_that_is_no_json_is_400(world: Sandbox, caller: Caller) -> None:
    path = f"{caller.account}/folders/{world.root_folder_id}/folders"
    headers = {"Content-Type": "application/json"}
    answer = caller.http.post(path, content=b"{", headers=headers)

    assert (answer.status_code, answer.json()) == (400, {"errors": [{"detail": "Bad Request"}]})


def test_body_without_a_json_content_type_has_no_data(world: Sandbox, caller: Caller) -> None:
    path = f"{caller.account}/folders/{world.root_folder_id}/folders"
    answer = caller.http.post(path, content=b'{"data": {"name": "a"}}')

    assert complaint(answer) == ("Missing field: data", "/data")
