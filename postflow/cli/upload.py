"""`postflow upload`: deliver clips by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict, Unpack

import typer
from pydantic import SecretStr
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from postflow.errors import PostFlowError, engine_told, printable
from postflow.importing import importing
from postflow.models import Transfer
from postflow.service.console import Exit, err, exit_code, out, print_json, tell_error, waiting
from postflow.service.server import prepare_prefect

from .app import Files, JsonOption, SceneOption, ShotOption, StudioOption, VerboseOption, app, run

if TYPE_CHECKING:
    from postflow.models import Delivery, MediaFile, Shot
    from postflow.naming import Naming
    from postflow.outlet import Served

    Plan = Shot | PostFlowError
    Outcome = Delivery | PostFlowError

AT_ONCE = 4


class Asked(TypedDict):
    """Parameters of the flow `deliver`."""

    studio: str | None
    project: NotRequired[str | None]
    scene: NotRequired[str | None]
    shot: NotRequired[str | None]
    transfer: NotRequired[Transfer | None]


async def plan_uploads(
    files: list[Path], *, json: bool, **asked: Unpack[Asked]
) -> dict[Path, Plan]:
    """Look at the files and their names only. Raises Fatal when the studio is missing."""
    from postflow.blocks.studio import load_studio

    block = await load_studio(asked["studio"])
    naming, project = block.get_naming(), asked.get("project") or block.frameio.project
    scene, shot = asked.get("scene"), asked.get("shot")
    plans = {path: await _plan(path, naming, scene, shot) for path in files}
    if json:
        print_json([_plan_as_json(path, plan, project) for path, plan in plans.items()])
    else:
        for path, plan in plans.items():
            _tell(path, plan, project)
    return plans


async def _plan(path: Path, naming: Naming, scene: str | None, shot: str | None) -> Plan:
    from postflow.media.probe import probe_media

    try:
        media = await probe_media(path, by_hand=True)
        return naming.identify(media.name, scene=scene, shot=shot)
    except PostFlowError as error:
        return error


def _tell(path: Path, plan: Plan, project: str) -> None:
    if isinstance(plan, PostFlowError):
        tell_error(plan, subject=path.name)
    else:
        where = "/".join([project, *plan.folder, plan.file_name])
        out.print(f"[bold]{escape(printable(path.name))}[/bold] would go to {escape(where)}")


def _plan_as_json(path: Path, plan: Plan, project: str) -> dict[str, object]:
    if isinstance(plan, PostFlowError):
        return {"file": str(path), **error_as_json(plan)}
    return {"file": str(path), "project": project, **plan.model_dump(mode="json")}


WebhookOption = Annotated[
    str | None,
    typer.Option(
        envvar="POSTFLOW_DISCORD_WEBHOOK_URL",
        help="Announce to this webhook instead of the studio's. Better given by environment: "
        "a command line can be seen by others.",
        show_envvar=True,
    ),
]


class _Speed(TransferSpeedColumn):
    """Nothing where it is not known yet."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.finished_speed or task.speed else Text()


class ClipBars:
    """One bar a clip: bytes, rate, time left. Give it to `open_studio(progress=…)`."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.fields[clip]}", markup=False),
            BarColumn(),
            DownloadColumn(),
            _Speed(),
            TimeRemainingColumn(),
            console=err,
        )
        self._of: dict[str, TaskID] = {}

    def __enter__(self) -> ClipBars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    async def __call__(self, media: MediaFile, served: Served) -> None:
        if media.name not in self._of:
            self._of[media.name] = self._bars.add_task("", total=served.total, clip=media.name)
        self._bars.update(self._of[media.name], completed=served.bytes_covered, total=served.total)


@app.command()
def upload(
    files: Files,
    studio: StudioOption = None,
    project: Annotated[
        str | None, typer.Option(help="Another Frame.io project than the studio's.")
    ] = None,
    scene: SceneOption = None,
    shot: ShotOption = None,
    transfer: Annotated[
        Transfer | None, typer.Option(help="Another way to Frame.io than the studio's.")
    ] = None,
    discord_webhook: WebhookOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen.")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Deliver clips to Frame.io and announce them in Discord.

    Exit codes: 0 all delivered, 2 wrong use, 3 a clip was skipped, 4 a clip may succeed later,
    5 somebody has to mend the set-up; with several clips, the gravest.
    """
    files = list(dict.fromkeys(path.absolute() for path in files))
    missing = run(_missing(files))
    if len(missing) == len(files):
        _report(missing, {}, json=json)
        raise typer.Exit(_gravest(missing))
    prepare_prefect(verbose=verbose, patient=True)
    with waiting("Loading PostFlow"), importing():
        import postflow.flows.deliver  # noqa: F401 - which takes a second or two
    asked = Asked(studio=studio, project=project, scene=scene, shot=shot, transfer=transfer)
    if dry_run:
        outcomes: dict[Path, Any] = run(plan_uploads(files, json=json, **asked))
    else:
        webhook = SecretStr(discord_webhook) if discord_webhook else None
        bars = None if json else ClipBars()
        work = deliver_all(files, discord_webhook=webhook, bars=bars, **asked)
        outcomes, not_told = run(work)
        _report(outcomes, not_told, json=json)
    raise typer.Exit(_gravest(outcomes))


def _gravest(outcomes: Mapping[Path, object]) -> Exit:
    return max(exit_code(o if isinstance(o, PostFlowError) else None) for o in outcomes.values())


async def _missing(files: list[Path]) -> dict[Path, Outcome]:
    """Why files cannot even be looked at: where that is so of all, nothing has to be waited for."""
    from postflow.media.probe import probe_media

    looks = await asyncio.gather(*map(probe_media, files), return_exceptions=True)
    found = zip(files, looks, strict=True)
    return {path: look for path, look in found if isinstance(look, PostFlowError)}


async def deliver_all(
    files: list[Path],
    *,
    discord_webhook: SecretStr | None = None,
    bars: ClipBars | None = None,
    **asked: Unpack[Asked],
) -> tuple[dict[Path, Outcome], dict[str, str]]:
    """Deliver through one shared outlet, some at once; each file has its own outcome.

    Also, by name, why Discord was not told of a clip.
    """
    from postflow.delivery.unfinished import remove_unfinished
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver

    room = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> Outcome:
        async with room:
            try:
                with engine_told():
                    return await deliver(path, **asked)
            except PostFlowError as error:
                return error

    async with (
        open_studio(asked["studio"], discord_webhook=discord_webhook, progress=bars) as studio,
        studio.ways.kept_open(),
    ):
        with bars or nullcontext():
            outcomes = await asyncio.gather(*map(one, files))
        await remove_unfinished(studio.ledger, studio.frameio, studio.name)
    return dict(zip(files, outcomes, strict=True)), studio.not_told


def _report(outcomes: dict[Path, Outcome], not_told: dict[str, str], *, json: bool) -> None:
    if json:
        rows = outcomes.items()
        print_json([_as_json(path, outcome, not_told.get(path.name)) for path, outcome in rows])
        return
    for path, outcome in outcomes.items():
        if isinstance(outcome, PostFlowError):
            tell_error(outcome, subject=path.name)
        else:
            already = " (was there already)" if outcome.adopted else ""
            out.print(f"[green]✓[/green] [bold]{escape(printable(path.name))}[/bold]{already}")
            out.print(f"  {escape(outcome.folder.label)}", markup=False)
            out.print(f"  {outcome.view_url}", markup=False)
            if outcome.way == "direct":
                why = f": {outcome.detour}" if outcome.detour else "."
                out.print(f"  Sent directly{why}", markup=False)
            if outcome.media.doubt:
                out.print(f"  Please check: the file {outcome.media.doubt}.", markup=False)


def _as_json(path: Path, outcome: Outcome, not_told: str | None) -> dict[str, Any]:
    if isinstance(outcome, PostFlowError):
        return {"file": str(path), "success": False, **error_as_json(outcome)}
    return {
        "file": str(path),
        "success": True,
        "adopted": outcome.adopted,
        "way": outcome.way,
        "view_url": outcome.view_url,
        "file_id": outcome.file_id,
        "folder_id": outcome.folder_id,
        "folder": outcome.folder.label,
        "project_id": outcome.project_id,
        "size": outcome.media.size,
        "doubt": outcome.media.doubt,
        "not_told": not_told,
        "seconds": (outcome.finished - outcome.started).total_seconds(),
    }


def error_as_json(error: PostFlowError) -> dict[str, Any]:
    kind = {Exit.SKIPPED: "skip", Exit.FATAL: "fatal"}.get(exit_code(error), "retry")
    return {"kind": kind, "code": error.code, "error": error.message, "hint": error.hint}
