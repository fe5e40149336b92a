"""Frame.io's OpenAPI document, without its prose, for the sandbox to be held against.

    python conformance/strip_openapi.py DOCUMENT.json > sandbox/frameio/openapi.json

The document is published at https://api.frame.io/v4/openapi.json. What is kept is what can be
checked: paths, parameters, bodies, answers and rates.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

PROSE = {"description", "summary", "title", "tags", "example", "examples", "externalDocs"}
KEPT_EXTENSION = "x-rate-limit"
NAMES_BELOW = {"properties", "schemas", "headers", "paths"}


def stripped(value: Any, key: str = "") -> Any:
    """The same without prose; below `properties` and its like, keys are names and stay."""
    if isinstance(value, list):
        return [stripped(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        name: stripped(item, name)
        for name, item in value.items()
        if key in NAMES_BELOW or _facts(name)
    }
    # OpenAPI wants a description of every response.
    return (
        {code: _described(answer) for code, answer in kept.items()} if key == "responses" else kept
    )


def _facts(name: str) -> bool:
    return name not in PROSE and (not name.startswith("x-") or name == KEPT_EXTENSION)


def _described(answer: dict[str, Any]) -> dict[str, Any]:
    return answer if "$ref" in answer else {"description": "", **answer}


def main() -> None:
    document = json.loads(Path(sys.argv[1]).read_bytes())
    version = document["info"]["version"]
    facts = stripped(document) | {"info": {"title": "Frame.io V4 API", "version": version}}
    sys.stdout.write(_one_entry_a_line(json.dumps(facts, indent=1, sort_keys=True)) + "\n")


def _one_entry_a_line(text: str) -> str:
    """So that a new document differs from the old one in lines that can be read."""
    return re.sub(r"\n(?: {4,}| {3}(?=[}\]]))", "", text)


if __name__ == "__main__":
    main()
