"""What is wrong among the hosts of a studio, as `check` tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from prefect import get_client
from prefect.client.schemas import filters, sorting

from postflow.blocks.studio import Studio
from postflow.engine.crashed_runs import LEDGER, SIGNATURE
from postflow.language import N_, told
from postflow.ledger import hosts, open_ledger, roots
from postflow.ledger.process import ProcessMark, host_of
from postflow.state import this_host

from .exposure import Say

APART = timedelta(seconds=5)
RECENT = timedelta(days=1)
MOST = 200
REMEDY = N_(
    "Set clocks by NTP, mount what is missing, give each host its own POSTFLOW_HOST and all of "
    "them one ledger; one that will not come back: postflow hosts --forget NAME."
)


async def hosts_in_order(studio: Studio) -> Say:
    name = studio.document_name
    async with open_ledger(studio.ledger) as ledger:
        living = [each for each in await ledger.run(hosts.known, name) if each.lives]
        ours = await ledger.run(roots.ledger_id)
    found = [*troubles(living), *await _with_another_ledger(name, ours)]
    if found:
        return "; ".join(map(told, found)), REMEDY
    names = sorted({each.name for each in living})
    return ", ".join(names) if names else N_("none watches at the moment")


def troubles(living: Iterable[hosts.Host]) -> Iterator[str]:
    """What a person should know of hosts that live."""
    machines = Counter(name for name, _ in {(each.name, each.machine) for each in living})
    for name in (each for each, many in machines.items() if many > 1):
        yield N_("{many} machines are called {name}", many=machines[name], name=name)
    for host in {each.name: each for each in living}.values():
        if abs(host.ahead) > APART.total_seconds():
            which = (
                N_("the clock of {name} is {seconds:.0f} s ahead of the database's")
                if host.ahead > 0
                else N_("the clock of {name} is {seconds:.0f} s behind the database's")
            )
            yield N_(which, name=host.name, seconds=abs(host.ahead))
        for path, why in host.missing.items():
            yield N_("{name} does not reach {path} ({why})", name=host.name, path=path, why=why)


async def _with_another_ledger(studio: str, ours: str) -> list[str]:
    """Hosts that ran `ingest` by this Prefect server in the last day, and remember it elsewhere."""
    since = filters.FlowRunFilterStartTime(after_=datetime.now(tz=UTC) - RECENT)
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=["ingest"])),
            flow_run_filter=filters.FlowRunFilter(start_time=since),
            sort=sorting.FlowRunSort.START_TIME_DESC,
            limit=MOST,
        )
    mine = [run for run in runs if run.parameters.get("studio", studio) == studio]
    others = {
        host_of(ProcessMark.model_validate_json(str(run.labels[SIGNATURE])).machine)
        for run in mine
        if run.labels.get(LEDGER, ours) != ours and SIGNATURE in run.labels
    }
    return [N_("{name} has another ledger", name=host) for host in sorted(others - {this_host()})]
