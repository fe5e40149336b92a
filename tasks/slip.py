"""The delivery slip in Prefect's UI."""

from __future__ import annotations

import re

from prefect.artifacts import acreate_markdown_artifact
from rich.filesize import decimal

from postflow.models import Delivery

from .courtesy import courtesy


async def leave_slip(delivery: Delivery) -> None:
    """A markdown artifact with the link, under a key that gathers the clip's history."""
    name = delivery.media.name
    async with courtesy(f"the slip of {name}"):
        await acreate_markdown_artifact(
            slip(delivery), key=_key(name), description=f"Slip of {name}"
        )


def slip(delivery: Delivery) -> str:
    """The slip's markdown."""
    seconds = (delivery.finished - delivery.started).total_seconds()
    rows = {
        "File": f"{_plain(delivery.media.name)}",
        "Sequence": _plain(delivery.shot.sequence or "none"),
        "Shot": _plain(delivery.shot.shot or "none"),
        "Version": _plain(delivery.shot.version or "none"),
        "Folder": _plain(delivery.folder.label),
        "Size": decimal(delivery.media.size),
        "Journey": "already in Frame.io" if delivery.adopted else f"{seconds:.0f} s",
        "Frame.io id": f"`{delivery.file_id}`",
    }
    if delivery.media.doubt:
        rows["Please check"] = _plain(f"The file {delivery.media.doubt}.")
    head, *body = (f"| {name} | {value} |" for name, value in rows.items())
    table = "\n".join([head, "|---|---|", *body])
    title = f"# {_plain(delivery.media.name)}\n\n[Open in Frame.io]({delivery.view_url})\n\n"
    return f"{title}{table}\n"


def _plain(text: str) -> str:
    """Names are hostile input: nothing of them is markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~])", r"\\\1", text)


def _key(name: str) -> str:
    return "clip-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
