"""A flow of your own with PostFlow's stages: `python own_flow.py CLIP`."""

import asyncio
import sys
from pathlib import Path

from prefect import flow

from postflow.engine.studio import open_studio
from postflow.flows.deliver import delivering
from postflow.tasks.announce import announce
from postflow.tasks.place import place
from postflow.tasks.transfer import transfer


@flow
async def send_dailies(clip: Path, studio_name: str = "main") -> str:
    async with open_studio(studio_name) as studio, delivering(studio, clip) as job:
        job.shot = shot = studio.naming.identify(clip.name)
        folder = await place(studio, shot, project=job.project)
        arrival = await transfer(studio, job, shot, folder)
        delivery = job.delivered(shot, arrival)
        await announce(studio, job, delivery)
    return delivery.view_url


if __name__ == "__main__":
    asyncio.run(send_dailies(Path(sys.argv[1])))
