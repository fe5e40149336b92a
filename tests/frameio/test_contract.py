"""The calls that we make are calls that Frame.io's contract knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from postflow.frameio import endpoints
from postflow.frameio.endpoints import Endpoint
from postflow.frameio.models import (
    Account,
    Page,
    Problems,
    Profile,
    UploadStatus,
    WireFile,
    WireFolder,
    WirePlaceholder,
    WireProject,
    WireStack,
    Workspace,
    read_child,
)
from postflow.frameio.stacks import FEWEST, MOST
from postflow.sandbox.frameio.contract import Operation, document, operation
from postflow.service.contact.files import RENAME_FILE
from postflow.service.contact.manners import AUDIT_LOG
from postflow.service.contact.visit import DELETE_SHARE

# Those of first contact too.
OURS = {name: it for name, it in vars(endpoints).items() if isinstance(it, Endpoint)} | {
    "AUDIT_LOG": AUDIT_LOG,
    "DELETE_SHARE": DELETE_SHARE,
    "RENAME_FILE": RENAME_FILE,
}


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


def test_a_stack_is_made_of_as_many_files_as_the_contract_takes() -> None:
    ids = document()["components"]["schemas"]["VersionStackCreateParamsData"]["properties"]

    assert (ids["file_ids"]["minItems"], ids["file_ids"]["maxItems"]) == (FEWEST, MOST)


# How we read a thing, and what the contract calls it.
THINGS: list[tuple[Callable[[Any], object], str, str]] = [
    (Profile.model_validate, "Profile", ""),
    (Account.model_validate, "Account", ""),
    (Workspace.model_validate, "WorkspaceWithIncludes", ""),
    (WireProject.model_validate, "ProjectWithIncludes", ""),
    (WireFolder.model_validate, "FolderWithIncludes", "folder"),
    (WireFile.model_validate, "FileWithIncludes", "file"),
    (WireStack.model_validate, "VersionStackWithIncludes", "version_stack"),
    (read_child, "AssetWithIncludes_Folder", "folder"),
    (read_child, "AssetWithIncludes_File", "file"),
    (read_child, "AssetWithIncludes_VersionStack", "version_stack"),
    (WirePlaceholder.model_validate, "FileWithUploadUrls", "file"),
    (UploadStatus.model_validate, "FileUploadStatus", ""),
    (Page.model_validate, "FolderAssetsWithIncludesResponse", "file"),
    (Problems.model_validate, "Errors", ""),
]


def stingy(schema: dict[str, Any], kind: str) -> Any:
    """The least that a schema allows: no key that may be left out, null where it may be.

    `kind` is what an asset says it is, where the schema allows several.
    """
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


@pytest.mark.parametrize(("read", "schema", "kind"), THINGS)
def test_the_least_that_the_contract_allows_is_understood(
    read: Callable[[Any], object], schema: str, kind: str
) -> None:
    read(stingy(document()["components"]["schemas"][schema], kind))
