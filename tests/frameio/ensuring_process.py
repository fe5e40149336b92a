"""A process that ensures a folder when told to. It reads its set-up and the word from stdin."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from postflow.frameio import AdobeIms, Credential, FrameioClient, Tokens, TokenSource
from postflow.models import Project
from tests.support.token_stores import MemoryTokenStore


async def ensure(given: dict[str, Any]) -> str:
    tokens = Tokens(
        access_token=SecretStr(given["tokens"]["access_token"]),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    url, lock_dir = given["world"]["url"], Path(given["lock_dir"])
    credential = Credential(kind="native", client_id=given["world"]["public_client_id"])
    source = TokenSource(credential, MemoryTokenStore(tokens), AdobeIms(url), state_dir=lock_dir)
    async with FrameioClient(source, base_url=url, lock_dir=lock_dir) as client:
        project = Project.model_validate(given["project"])
        return (await client.folders.ensure(project, tuple(given["path"]))).id


def main() -> None:
    given = json.loads(sys.stdin.readline())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(asyncio.run(ensure(given)) + "\n")


if __name__ == "__main__":
    main()
