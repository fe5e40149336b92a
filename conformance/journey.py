"""The official Frame.io SDK, driven through the sandbox as a studio would drive it.

Run by `conformance/run.py`, in an environment of its own, with the sandbox's description as JSON
on standard input. Exits non-zero on any miss.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import frameio
from reviews import Reviews
from serving import serving
from witness import Witness, say

CLIP_BYTES = 300_000


def travel(world: dict[str, Any], witness: Witness, folder: Path) -> None:
    """The whole journey."""
    for number in (1, 2, 3, 4):
        (folder / f"clip_v00{number}.mov").write_bytes(os.urandom(CLIP_BYTES))
    journey = Reviews(world, witness, folder)
    journey.places()
    target = journey.make_folder(world["root_folder_id"], "conformance")
    journey.folders(target)
    names = [f"clip_v00{number}.mov" for number in (1, 2, 3, 4)]
    with serving(folder) as source:
        files = [journey.remote_upload(target, f"{source}/{name}", name) for name in names]
        for file, name in zip(files, names, strict=True):
            journey.follow(file, name, CLIP_BYTES)
    journey.make_folder(target, "more")
    journey.pages(target, {*names, "more"})
    journey.default_pages(target)
    journey.local_upload(target)
    journey.version_stack(target, files[:3])
    journey.share(files[3], files[2])
    journey.webhook()
    journey.notes(files[3])
    journey.keep_house(files[3], target)
    journey.refusals(target)
    witness.see(
        "delete the whole folder", None, lambda: journey.sdk.folders.delete(journey.account, target)
    )


def main() -> int:
    world = json.load(sys.stdin)
    witness = Witness()
    say(f"frameio {frameio.__version__} against {world['url']}")
    with witness.http, tempfile.TemporaryDirectory() as folder:
        try:
            travel(world, witness, Path(folder))
        except Exception as error:
            witness.check("the journey goes on to its end", False, repr(error))
            traceback.print_exc()
    say(f"{len(witness.models)} kinds of answers passed the SDK's models.")
    say(f"{witness.steps - len(witness.misses)} passed, {len(witness.misses)} failed")
    return 1 if witness.misses else 0


if __name__ == "__main__":
    sys.exit(main())
