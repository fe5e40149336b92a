"""A process that renews a token when told to. It reads its set-up and the word from stdin."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from postflow.frameio import AdobeIms, Credential, TokenSource
from postflow.frameio.auth.tokens import FileTokenStore


def source_from(given: dict[str, Any]) -> TokenSource:
    secret = SecretStr(given["client_secret"])
    folder = Path(given["folder"])
    return TokenSource(
        Credential(client_id=given["client_id"], client_secret=secret),
        FileTokenStore(folder / "tokens.json"),
        AdobeIms(given["url"]),
        state_dir=folder,
    )


def main() -> None:
    source = source_from(json.loads(sys.stdin.readline()))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(asyncio.run(source.token()) + "\n")


if __name__ == "__main__":
    main()
