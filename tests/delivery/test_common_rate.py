"""Two processes of one ledger that call Frame.io as the same user."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from pydantic import SecretStr

from postflow.sandbox import Sandbox
from tests.frameio.connecting import connected, project_of

CALLER = """
import asyncio, json, sys
from pathlib import Path
from postflow.delivery.common_rate import keep_common_rate
from postflow.frameio import FrameioClient
from postflow.models import RemoteFile
from postflow.ledger import leases, open_ledger
from tests.support.token_stores import FixedToken

async def call(name, url, token, where, remote):
    source, remote = FixedToken(token), RemoteFile.model_validate(remote)
    client = FrameioClient(source, base_url=url, lock_dir=Path(where).parent)
    async with open_ledger(Path(where)) as ledger, leases.hold_lease(ledger, name), client:
        keeping = asyncio.create_task(keep_common_rate(ledger, name, client, "studio"))
        await client.files.status(remote)
        while client.pacing.sharers < 2:
            await asyncio.sleep(0.05)
        print("knows", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*(client.files.status(remote) for _ in range(30)))
        keeping.cancel()

asyncio.run(call(*json.loads(sys.stdin.readline())))
"""


async def test_they_keep_to_its_rate_together(tmp_path: Path, source_url: SecretStr) -> None:
    """Real proportions, four times as fast. One that knew of no other would be refused at every
    second call; a quarter is left to a busy machine, which holds calls up on their way.
    """
    with Sandbox(rate_scale=4) as world:
        async with connected(world, tmp_path) as client:
            root = await client.folders.ensure(project_of(world), ())
            remote = await client.files.remote_upload(root, "a.mov", source_url, known=frozenset())
        about = remote.model_dump(mode="json")
        token, ledger = world.tokens()["access_token"], str(tmp_path / "ledger.db")
        async with AsyncExitStack() as stack:
            starting = (_caller(name, world.url, token, ledger, about) for name in ("one", "two"))
            callers = [await stack.enter_async_context(each) for each in starting]
            for each in callers:
                assert each.stdout is not None
                assert await each.stdout.readline() == b"knows\n"
            before = len(world.requests())
            answers = await asyncio.gather(*(each.communicate(b"go\n") for each in callers))
            assert [each.returncode for each in callers] == [0, 0], answers
        asked = [each for each in world.requests()[before:] if each["op"] == "files.status"]
    assert len(asked) >= 60
    assert sum(each["status"] == 429 for each in asked) <= len(asked) // 4


@asynccontextmanager
async def _caller(*arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CALLER, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(arguments).encode() + b"\n")
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
