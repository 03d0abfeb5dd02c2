"""`python -m worker status`: how the queue stands and how fast it moves."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from worker.settings import WorkerSettings, load


@dataclass(frozen=True, slots=True)
class Throughput:
    """What happened in `seconds`: jobs that came, results that were written; None where Redis does not tell."""

    seconds: float
    arrived_per_s: float | None
    finished_per_s: float | None


def status(
    seconds: Annotated[float, typer.Option(min=0, max=3600, help="Seconds to measure throughput for; 0 skips it.")] = 2,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON per job stream instead of tables.")
    ] = False,
) -> None:
    """Show lengths, lag, pending jobs of each consumer, the oldest job's age, dead letters and throughput.

    A consumer that was silent for REDIS_CHECK_RATE and two leases is marked dead: others take over its jobs.

    Uses REDIS_URL, WORKER_STREAM, WORKER_RESULTS and WORKER_GROUP, like the worker; each job stream is shown by
    itself. Only looks, changes nothing.

    Exit codes: 0 told, 2 usage or no Redis.
    """
    settings = load(WorkerSettings)
    # Imported late, so that --help answers at once.
    from img_ml.command import data_console, talk_console, told_errors
    from worker.commands.shared import ask
    from worker.streams.queues import queues_of

    queues = queues_of(settings)
    # A worker that lives asks for jobs, or renews its leases, more often than that.
    silence_s = settings.redis_check_rate / 1000 + 2 * settings.worker_lease_s
    with told_errors(talk_console()):
        states = ask(settings, lambda client: _all_measured(client, queues, seconds, silence_s))
    if as_json:
        for found in states:
            print(json.dumps(found))  # noqa: T201 - stdout is data
        return
    console = data_console()
    for found in states:
        console.print(_overview(found))
        console.print(_consumers(found))


async def _all_measured(client: Any, queues: Sequence[Any], seconds: float, silence_s: float) -> list[dict[str, Any]]:
    return await asyncio.gather(*(_measured(client, names, seconds, silence_s) for names in queues))


async def _measured(client: Any, names: Any, seconds: float, silence_s: float) -> dict[str, Any]:
    """The state at the end of the measurement, and the throughput up to then; silent consumers are marked dead."""
    from worker.streams.queue_state import QueueState, read_queue

    loop = asyncio.get_running_loop()
    before: QueueState | None = None
    started = loop.time()
    if seconds:
        before = await read_queue(client, names)
        await asyncio.sleep(seconds)
    after = await read_queue(client, names)
    throughput = None
    if before is not None:
        passed = loop.time() - started
        throughput = Throughput(
            round(passed, 3),
            _rate(before.jobs_added, after.jobs_added, passed),
            _rate(_results_written(before), _results_written(after), passed),
        )
    state = asdict(after)
    del state["jobs_added"], state["results_added"]
    for consumer in state["consumers"]:
        consumer["dead"] = consumer["idle_s"] > silence_s
    streams = {"stream": names.jobs, "group": names.group}
    return {**streams, **state, "throughput": None if throughput is None else asdict(throughput)}


def _results_written(state: Any) -> int:
    # Redis 6.2 does not count what was ever added; the length grows alike as long as nobody trims.
    return int(state.results if state.results_added is None else state.results_added)


def _rate(before: int | None, after: int | None, seconds: float) -> float | None:
    """Entries a second; None where nobody counted, or entries were removed meanwhile."""
    if before is None or after is None or after < before:
        return None
    return round((after - before) / seconds, 3)


def _overview(found: Mapping[str, Any]) -> Table:
    from worker.commands.shared import duration, without_control_characters

    table = Table("", "", show_header=False, title="Queue", title_justify="left")
    group = without_control_characters(found["group"]) + (
        "" if found["group_exists"] else " (not created yet: no worker has run)"
    )
    table.add_row("stream", Text(without_control_characters(found["stream"])))
    table.add_row("group", Text(group))
    table.add_row("jobs in the stream", f"{found['length']:,}")
    table.add_row("  never delivered (lag)", f"{found['lag']:,}")
    table.add_row("  pending", f"{found['pending']:,}")
    table.add_row("  waiting for a retry", f"{found['postponed']:,}")
    table.add_row("oldest job", duration(found["oldest_age_s"]) if found["length"] else "none")
    table.add_row("dead letters", f"{found['dead_letters']:,}")
    table.add_row("callbacks waiting", f"{found['callbacks']:,}")
    table.add_row("callbacks given up", f"{found['callback_dead_letters']:,}")
    table.add_row("results", f"{found['results']:,}")
    if (throughput := found["throughput"]) is not None:
        table.add_row(f"in the last {throughput['seconds']:.1f} s", _speed(throughput))
    return table


def _speed(throughput: Mapping[str, Any]) -> str:
    told = [
        f"{name} {'unknown' if (rate := throughput[key]) is None else f'{rate:,.1f}/s'}"
        for name, key in (("arrived", "arrived_per_s"), ("finished", "finished_per_s"))
    ]
    return ", ".join(told)


def _consumers(found: Mapping[str, Any]) -> Table:
    from worker.commands.shared import duration, without_control_characters

    table = Table("consumer", title="Consumers", title_justify="left")
    table.add_column("pending", justify="right")
    table.add_column("idle", justify="right")
    table.add_column("")
    for one in found["consumers"]:
        dead = "dead" if one["dead"] else ""
        table.add_row(
            Text(without_control_characters(one["name"])), f"{one['pending']:,}", duration(one["idle_s"]), dead
        )
    return table
