"""A comment with the link at each delivered shot in Kitsu: `python kitsu.py`, beside PostFlow."""

import os

import httpx
from aiohttp import web

from postflow.feeds import read_event

SIGN_IN = {"email": os.environ["KITSU_EMAIL"], "password": os.environ["KITSU_PASSWORD"]}


async def take(request: web.Request) -> web.Response:
    clip = read_event(os.environ["HOOK_SECRET"], request.headers, await request.read())
    async with httpx.AsyncClient(base_url=os.environ["KITSU_URL"] + "/api/") as kitsu:
        answer = (await kitsu.post("auth/login", data=SIGN_IN)).raise_for_status()
        kitsu.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        shots = (await kitsu.get("data/shots/all", params={"name": clip.shot or ""})).json()
        for shot in shots if clip.kind == "delivered" else []:
            tasks = (await kitsu.get(f"data/shots/{shot['id']}/tasks")).raise_for_status().json()
            told = {"task_status_id": tasks[0]["task_status_id"], "comment": clip.view_url}
            await kitsu.post(f"actions/tasks/{tasks[0]['id']}/comment", data=told)
    return web.Response()


app = web.Application()
app.router.add_post("/", take)
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=8099)
