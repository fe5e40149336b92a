"""What `upload --dry-run` shows: where each clip would go; nothing is sent and nothing made."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from postflow.errors import PostFlowError
from postflow.media.probe import demand_media, look_at
from postflow.models import Shot
from postflow.naming import Naming
from postflow.service.console import out, print_json, tell_error

Plan = Shot | PostFlowError


async def plan_uploads(
    files: list[Path],
    *,
    studio: str,
    project: str | None,
    scene: str | None,
    shot: str | None,
    json: bool,
) -> dict[Path, Plan]:
    """Look at the files and their names only. Raises Fatal when the studio is missing."""
    from postflow.blocks.studio import load_studio

    block = await load_studio(studio)
    naming, project = block.get_naming(), project or block.frameio.project
    plans = {path: await _plan(path, naming, scene, shot) for path in files}
    if json:
        print_json([_plan_as_json(path, plan, project) for path, plan in plans.items()])
    else:
        for path, plan in plans.items():
            _tell(path, plan, project)
    return plans


async def _plan(path: Path, naming: Naming, scene: str | None, shot: str | None) -> Plan:
    try:
        media = await look_at(path)
        await demand_media(path)
        return naming.identify(media.name, scene=scene, shot=shot)
    except PostFlowError as error:
        return error


def _tell(path: Path, plan: Plan, project: str) -> None:
    if isinstance(plan, PostFlowError):
        tell_error(plan, subject=path.name)
    else:
        where = "/".join([project, *plan.folder, plan.file_name])
        out.print(f"[bold]{escape(path.name)}[/bold] would go to {escape(where)}")


def _plan_as_json(path: Path, plan: Plan, project: str) -> dict[str, object]:
    from .upload import error_as_json

    if isinstance(plan, PostFlowError):
        return {"file": str(path), **error_as_json(plan)}
    return {"file": str(path), "project": project, **plan.model_dump(mode="json")}
