"""The calls that we make are calls that Frame.io's contract knows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from postflow.frameio import endpoints
from postflow.frameio.endpoints import Endpoint
from postflow.frameio.files import MEDIA
from postflow.frameio.stacks import FEWEST, MOST
from postflow.frameio.wire import (
    Account,
    Child,
    One,
    Page,
    Problems,
    Profile,
    UploadStatus,
    WireFile,
    WireFolder,
    WireProject,
    WireStack,
    Workspace,
)
from sandbox.frameio.contract import Operation, document, operation

OURS = {name: it for name, it in vars(endpoints).items() if isinstance(it, Endpoint)}


def shape(path: str) -> str:
    """A path whatever its ids are called."""
    return re.sub(r"{\w+}", "{}", path)


def known(endpoint: Endpoint) -> Operation:
    (path,) = [path for path in document()["paths"] if shape(path) == shape(endpoint.path)]
    return operation(endpoint.method, path)


@pytest.mark.parametrize("endpoint", OURS.values(), ids=OURS)
def test_rate_and_page_are_those_of_the_contract(endpoint: Endpoint) -> None:
    contract = known(endpoint)

    assert (endpoint.calls, endpoint.window) == contract.rate
    assert endpoint.page == contract.query.get("page_size", {}).get("maximum", 0)


def test_the_renditions_we_ask_for_exist() -> None:
    values = known(endpoints.FILE).query["include"]["enum"]

    assert {f"media_links.{kind}" for kind in MEDIA} <= set(values)


def test_a_stack_is_made_of_as_many_files_as_the_contract_takes() -> None:
    ids = document()["components"]["schemas"]["VersionStackCreateParamsData"]["properties"]

    assert (ids["file_ids"]["minItems"], ids["file_ids"]["maxItems"]) == (FEWEST, MOST)


KINDS = {"folder": "[WireFolder]", "version_stack": "[WireStack]"}
ANSWERS: list[tuple[type[BaseModel], str]] = [
    (One[Profile], "ProfileResponse"),
    (Page[Account], "AccountsResponse"),
    (Page[Workspace], "WorkspacesWithIncludesResponse"),
    (Page[WireProject], "ProjectsWithIncludesResponse"),
    (One[WireProject], "ProjectWithIncludesResponse"),
    (One[WireFolder], "FolderResponse"),
    (Page[WireFolder], "FoldersWithIncludesResponse"),
    (Page[Child], "FolderAssetsWithIncludesResponse"),
    (One[WireFile], "FileRemoteUploadResponse"),
    (One[WireFile], "FileResponse"),
    (One[WireFile], "FileWithIncludesResponse"),
    (Page[WireFile], "FileAssetsWithIncludesResponse"),
    (One[UploadStatus], "FileUploadStatusResponse"),
    (One[WireStack], "VersionStackWithIncludesResponse"),
    (Page[WireStack], "VersionStacksWithIncludesResponse"),
    (Page[WireFile], "VersionStackAssetsWithIncludesResponse"),
    (Problems, "Errors"),
]


def stingy(schema: dict[str, Any], kind: str) -> Any:
    """The least that a schema allows: no key that may be left out, null where it may be.

    `kind` is what an asset says it is, where the schema allows several.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return stingy(document()["components"]["schemas"][name], kind)
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return None if {"type": "null"} in kinds else stingy(kinds[0], kind)
    if "enum" in schema:
        return kind if kind in schema["enum"] else schema["enum"][0]
    plain = {"string": "x", "integer": 0, "boolean": False}
    match schema["type"]:
        case "object":
            fields = schema.get("properties", {})
            keys = {*schema.get("required", ()), *({"type"} & set(fields))}
            return {key: stingy(fields[key], kind) for key in keys}
        case "array":
            return [stingy(schema["items"], kind)]
        case name:
            return "2026-11-27T00:00:00Z" if "format" in schema else plain[name]


@pytest.mark.parametrize(("model", "schema"), ANSWERS)
def test_the_least_that_the_contract_allows_is_understood(
    model: type[BaseModel], schema: str
) -> None:
    kind = next((word for word in KINDS if KINDS[word] in str(model)), "file")
    model.model_validate(stingy(document()["components"]["schemas"][schema], kind))
