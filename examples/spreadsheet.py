"""A table of all deliveries and failures: `HOOK_SECRET=… python spreadsheet.py clips.csv`."""

import csv
import os
import sys
from pathlib import Path

from aiohttp import web

from postflow.feeds import read_event

COLUMNS = ("id", "at", "kind", "sequence", "shot", "version", "file", "reason", "view_url")


async def take(request: web.Request) -> web.Response:
    event = read_event(os.environ["HOOK_SECRET"], request.headers, await request.read())
    row = [str(getattr(event, column) or "") for column in COLUMNS]
    with Path(sys.argv[1]).open("a", newline="", encoding="utf-8") as table:  # noqa: ASYNC230
        csv.writer(table).writerow("'" + cell if cell[:1] in "=+-@" else cell for cell in row)
    return web.Response()


app = web.Application()
app.router.add_post("/", take)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=8099)
