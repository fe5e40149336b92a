"""What Frame.io's contract refuses is refused, and nothing is answered that it would not answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from postflow.sandbox import Sandbox
from postflow.sandbox.frameio import shapes
from postflow.sandbox.frameio.api import endpoints
from postflow.sandbox.frameio.contract import ContractBroken, document
from postflow.sandbox.frameio.endpoints import Endpoint
from tests.sandbox.caller import Caller

UNKNOWN = "00000000-0000-4000-8000-000000000000"
IN_ADOBE_STORAGE = "adobe:urn:aaid:sc:US:1|2"
LISTS = [it for it in endpoints() if "page_size" in it.contract.query]
WRITES = [it for it in endpoints() if it.body is not None]


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.contract.method} {endpoint.contract.path}"


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with Sandbox(rate_limits=False) as running:
        yield running


@pytest.fixture(scope="module")
def caller(world: Sandbox) -> Iterator[Caller]:
    with Caller(world) as caller:
        yield caller


def path_of(world: Sandbox, endpoint: Endpoint, last: str = UNKNOWN) -> str:
    """The address of an operation on things that are not there."""
    *above, name = [part.strip("{}") for part in endpoint.contract.path.split("/") if "{" in part]
    ids = {**dict.fromkeys(above, UNKNOWN), name: last, "account_id": world.account_id}
    return endpoint.contract.path.format(**ids)


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 422 and all(error["detail"] for error in answer.json()["errors"])


def test_all_schemas_of_the_contract_are_sound() -> None:
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("endpoint", LISTS, ids=named)
def test_a_page_may_be_as_large_as_the_contract_says(
    world: Sandbox, caller: Caller, endpoint: Endpoint
) -> None:
    most = endpoint.contract.query["page_size"]["maximum"]
    path = path_of(world, endpoint) if "{" in endpoint.contract.path else endpoint.contract.path

    larger, largest = (
        caller.http.get(path, params={"page_size": size}) for size in (most + 1, most)
    )

    assert refused(larger)
    assert not refused(largest)


def wrong_bodies(endpoint: Endpoint) -> Iterator[Any]:
    """No envelope, another one, an unknown key, and a wrong kind for each known key."""
    yield from ([], {"name": "a"}, {"data": []}, {"data": {"unheard_of": 1}})
    if endpoint.contract.needs_body:
        yield from ({}, {"data": None})
    fields = endpoint.body.model_fields if endpoint.body else {}
    yield from ({"data": {name: {"wrong": "kind"}}} for name in fields)


@pytest.mark.parametrize("endpoint", WRITES, ids=named)
def test_bodies_that_the_contract_does_not_know_are_refused(
    world: Sandbox, caller: Caller, endpoint: Endpoint
) -> None:
    """Before anybody looks whether the thing is there, as the real service does."""
    for body in wrong_bodies(endpoint):
        answer = caller.http.request(endpoint.contract.method, path_of(world, endpoint), json=body)
        assert refused(answer), body


@pytest.mark.parametrize("endpoint", endpoints(), ids=named)
def test_unknown_parameters_and_ids_that_are_none_are_refused(
    world: Sandbox, caller: Caller, endpoint: Endpoint
) -> None:
    method, path = endpoint.contract.method, endpoint.contract.path
    if "{" not in path:
        assert refused(caller.http.request(method, path, params={"unheard_of": 1}))
        return
    there = path_of(world, endpoint)
    assert refused(caller.http.request(method, there, params={"unheard_of": 1}))
    assert refused(caller.http.request(method, path.replace("{", "").replace("}", "")))


def test_ids_of_adobe_storage_are_ids_but_for_the_status_of_an_upload(caller: Caller) -> None:
    shown, status = (caller.get(f"/files/{IN_ADOBE_STORAGE}{end}") for end in ("", "/status"))

    assert (shown.status_code, status.status_code) == (404, 422)


def test_a_copy_may_be_asked_for_without_a_body(world: Sandbox, caller: Caller) -> None:
    file = caller.placeholder(world.root_folder_id, "a.mov")
    path = f"{caller.account}/files/{file}/copy"

    answers = [caller.http.post(path), caller.http.post(path, json={"data": None})]

    assert [answer.json()["data"]["name"] for answer in answers] == ["a (1).mov", "a (2).mov"]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"upload_complete": "yes"}, "upload_complete"),
        ({"uploaded_at": "yesterday"}, "date-time"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_never_missed(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], word: str
) -> None:
    honest = shapes.status
    monkeypatch.setattr(shapes, "status", lambda file: honest(file) | changed)

    with pytest.raises(ContractBroken, match=word), Sandbox() as world, Caller(world) as caller:
        answer = caller.get(f"/files/{caller.placeholder(world.root_folder_id, 'a.mov')}/status")

    assert answer.status_code == 500
    assert "files.status" in answer.json()["errors"][0]["detail"]


def test_a_switch_lets_answers_be_other_than_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = shapes.status
    monkeypatch.setattr(shapes, "status", lambda file: honest(file) | {"unheard_of": 1})

    with Sandbox(contract=False) as world, Caller(world) as caller:
        file = caller.placeholder(world.root_folder_id, "a.mov")
        assert caller.status(file)["unheard_of"] == 1
