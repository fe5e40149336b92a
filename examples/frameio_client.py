"""Frame.io without Prefect: lists its projects. `python frameio_client.py FOLDER_FOR_TOKENS`."""
# ruff: noqa: T201, ASYNC250 - it talks to a person, and nothing else waits meanwhile

import asyncio
import os
import sys
from pathlib import Path

from postflow.frameio import AdobeIms, Credential, FileTokenStore, FrameioClient, TokenSource
from postflow.frameio.auth.login import begin_login


async def main(folder: Path) -> None:
    ims = AdobeIms(os.environ.get("ADOBE_URL", "https://ims-na1.adobelogin.com"))
    client = {"client_id": os.environ["CLIENT_ID"], "client_secret": os.environ["CLIENT_SECRET"]}
    credential = Credential.model_validate(client)
    sign_in = TokenSource(credential, FileTokenStore(folder / "tokens"), ims, state_dir=folder)
    if await sign_in.known() is None:
        attempt = begin_login(ims, credential)
        print("Sign in at", attempt.url, flush=True)
        code = attempt.code_from(input("The address at which the browser ends: "))
        await sign_in.adopt(await attempt.finish(ims, code))
    url = os.environ.get("FRAMEIO_URL", "https://api.frame.io")
    async with FrameioClient(sign_in, base_url=url, lock_dir=folder) as frameio:
        for account in await frameio.accounts.all():
            print(*(each.name for each in await frameio.projects.all(account.id)), sep="\n")


asyncio.run(main(Path(sys.argv[1])))
