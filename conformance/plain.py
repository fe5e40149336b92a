"""What a studio would write itself: a plain script on the official SDK that sends many clips.

Reads its order as JSON from stdin, runs in the witness's environment, and prints what came of it.
Per clip: find or make the folder, `remote_upload`, ask every second until it is there. One thread
or several; the SDK's own retries and nothing else. `benchmarks/burst.py --plain` starts it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from frameio import Frameio, files, folders
from frameio.auth import ServerToServerAuth
from serving import serving

POLL = 1.0


class Script:
    """One sequence's folder per script, one folder per shot in it."""

    def __init__(self, order: dict[str, Any], base: str) -> None:
        self.world: dict[str, Any] = order["world"]
        self.source = f"{base}/{Path(order['clip']).name}"
        self.account = self.world["account_id"]
        auth = ServerToServerAuth(
            client_id=self.world["client_id"],
            client_secret=self.world["client_secret"],
            ims_base_url=self.world["url"],
        )
        self.sdk = Frameio(base_url=self.world["url"], token=auth.get_token)
        self.lock = threading.Lock()
        self.failed = 0
        self.sequence = self.folder(self.world["root_folder_id"], order["sequence"])

    def folder(self, parent: str, name: str) -> str:
        for each in self.sdk.folders.list(self.account, parent):
            if each.name == name:
                return str(each.id)
        data = folders.FolderCreateParamsData(name=name)
        return str(self.sdk.folders.create(self.account, parent, data=data).data.id)

    def send(self, number: int) -> None:
        try:
            self._send(number)
        except Exception:
            with self.lock:
                self.failed += 1

    def _send(self, number: int) -> None:
        folder = self.folder(self.sequence, f"UNDLM_{number:05}")
        made = self.sdk.files.create_remote_upload(
            self.account,
            folder,
            data=files.FileCreateRemoteUploadParamsData(
                name=f"SQ07_UNDLM_{number:05}_v001.mov", source_url=f"{self.source}?{number}"
            ),
        )
        while True:
            status = self.sdk.files.show_file_upload_status(self.account, made.data.id).data
            if status.upload_complete or status.upload_failed:
                return
            time.sleep(POLL)


def main() -> None:
    order = json.load(sys.stdin)
    with serving(Path(order["clip"]).parent) as base:
        script = Script(order, base)
        began = time.monotonic()
        with ThreadPoolExecutor(order["threads"]) as pool:
            list(pool.map(script.send, range(1, order["clips"] + 1)))
        seconds = time.monotonic() - began
    cpu = time.process_time()
    json.dump({"seconds": seconds, "failed": script.failed, "cpu": cpu}, sys.stdout)


if __name__ == "__main__":
    main()
