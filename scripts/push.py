"""`python -m scripts.push URL ...`: put images on the job stream and print the verdicts as they come."""

import contextlib
import itertools
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import redis
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from forensics.documents import json_of
from forensics.printable import printable, printable_json
from img_ml.command import run_command, talk_console
from scripts.checking.streams import write_utf8
from worker.errors import StartError
from worker.settings import WorkerSettings, load
from worker.streams.connections import connect_sync
from worker.streams.embedded import redis_at
from worker.streams.queues import queues_of
from worker.streams.retry import REDIS_UNAVAILABLE

_AT_ONCE = 500
_BLOCK_MS = 1000
# A push is told that no worker is there after so long without an answer.
_PATIENCE_S = 5.0

app = typer.Typer(
    pretty_exceptions_enable=False, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@dataclass(slots=True)
class Tally:
    """The jobs that wait for an answer, and how many were answered with an error."""

    waiting: set[str] = field(default_factory=set)
    errors: int = 0


def _print(line: str) -> None:
    print(printable_json(line), flush=True)  # noqa: T201 - stdout is data


@app.command()
def push(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Image URLs; - reads them from standard input.")],
    client_id: Annotated[str | None, typer.Option(help="The clientId of every job.")] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for all the answers.")] = 300.0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answers and print them.")] = True,
) -> None:
    """Push image URLs as jobs; print each result as one line of JSON (with --no-wait: each job id).

    Uses REDIS_URL, WORKER_STREAM and WORKER_RESULTS from the environment or .env, like the worker.

    Exit codes: 0 every image got a verdict, 1 at least one ended in an error, 2 usage or no Redis, 3 some were not
    answered in time.
    """
    write_utf8()
    settings = load(WorkerSettings)
    jobs = {str(uuid.uuid4()): url for url in _given(urls)}
    if not jobs:
        raise typer.BadParameter("There is no URL to push.")
    try:
        with redis_at(settings.redis_url, settings.embedded_redis_dir) as place:
            code = send(place, settings, jobs, client_id=client_id, timeout_s=timeout if wait else None)
    except (StartError, *REDIS_UNAVAILABLE) as error:
        print(printable(f"Redis cannot be used: {error}"), file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def send(
    redis_url: str,
    settings: WorkerSettings,
    jobs: Mapping[str, str],
    *,
    client_id: str | None,
    timeout_s: float | None,
    tell: Callable[[str], None] = _print,
) -> int:
    """Push the jobs (id to URL) and tell each answer as it comes, or with `timeout_s` None each id; the exit code."""
    with contextlib.closing(connect_sync(redis_url)) as client:
        return _run(client, settings, jobs, client_id, timeout_s, tell)


def _given(urls: list[str]) -> Iterator[str]:
    for url in urls:
        if url == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield url


def _run(
    client: Any,
    settings: WorkerSettings,
    jobs: Mapping[str, str],
    client_id: str | None,
    timeout_s: float | None,
    tell: Callable[[str], None],
) -> int:
    """Push, then wait unless `timeout_s` is None; the exit code."""
    # Remembered before pushing: an answer may be there before the push returns.
    seen = [
        {name: _last_id(client, name) for name in (queue.results, queue.dead_letters)} for queue in queues_of(settings)
    ]
    _push(client, settings.job_streams, jobs, client_id)
    if timeout_s is None:
        for job_id in jobs:
            tell(job_id)
        return 0
    print(f"Pushed {len(jobs)}, waiting for the answers of a worker (python -m worker).", file=sys.stderr)  # noqa: T201
    tally = Tally(waiting=set(jobs))
    with _progress() as progress:
        bar = progress.add_task("judged", total=len(jobs))
        hint = _Hint(client, settings, progress.console)
        for line in _answers(client, seen, tally, time.monotonic() + timeout_s, hint):
            tell(line)
            progress.update(bar, completed=len(jobs) - len(tally.waiting))
    if tally.waiting:
        print(f"{len(tally.waiting)} of {len(jobs)} jobs were not answered in time.", file=sys.stderr)  # noqa: T201
        return 3
    return 1 if tally.errors else 0


def _last_id(client: Any, stream: str) -> str:
    try:
        return str(client.xinfo_stream(stream)["last-generated-id"])
    except redis.ResponseError:  # there is no such stream yet
        return "0-0"


def _push(client: Any, streams: Sequence[str], jobs: Mapping[str, str], client_id: str | None) -> None:
    """Put the jobs on the streams by turns."""
    by_turns = itertools.cycle(streams)
    items = list(jobs.items())
    for start in range(0, len(items), _AT_ONCE):
        with client.pipeline(transaction=False) as pipe:
            for job_id, url in items[start : start + _AT_ONCE]:
                job = {"jobId": job_id, "clientId": client_id, "image_url": url}
                pipe.xadd(next(by_turns), {"data": json.dumps(job, ensure_ascii=False)})
            pipe.execute()


class _Hint:
    """Says once that no worker is there, when nothing was answered for a while and no consumer reads."""

    def __init__(self, client: Any, settings: WorkerSettings, console: Console) -> None:
        self._client, self._settings, self._console = client, settings, console
        self._due: float | None = time.monotonic() + _PATIENCE_S

    def look(self, answered: bool) -> None:
        """Called after each read."""
        if answered:
            self._due = None
        if self._due is None or time.monotonic() < self._due:
            return
        self._due = None
        if not any(self._is_read(stream) for stream in self._settings.job_streams):
            self._console.print(
                "No worker reads this stream: start one with python -m worker (the jobs wait for it).",
                soft_wrap=True,
                markup=False,
            )

    def _is_read(self, stream: str) -> bool:
        """Whether a consumer of the group asked for jobs lately; a worker does so at least once in a check rate."""
        try:
            consumers = self._client.xinfo_consumers(stream, self._settings.worker_group)
        except redis.ResponseError:  # no such group yet
            return False
        lately_ms = 2 * self._settings.redis_check_rate + 5000
        return any(consumer["idle"] < lately_ms for consumer in consumers)


def _answers(client: Any, seen: Sequence[dict[str, str]], tally: Tally, deadline: float, hint: _Hint) -> Iterator[str]:
    """The answers to the waiting jobs, one line of JSON each, until all are there or time is up.

    `seen` holds the streams of each queue with the last id that was read; a cluster reads no two queues at once.
    """
    for ids in itertools.cycle(seen):
        left = deadline - time.monotonic()
        if not tally.waiting or left <= 0:
            return
        block = max(1, min(_BLOCK_MS // len(seen), round(left * 1000)))
        found = client.xread(ids, count=_AT_ONCE, block=block)
        hint.look(bool(found))
        for stream, entries in found:
            for entry_id, fields in entries:
                ids[stream] = entry_id
                answer = _parsed(fields)
                job_id = answer.get("job_id", answer.get("jobId"))
                if job_id not in tally.waiting:
                    continue
                tally.waiting.discard(job_id)
                tally.errors += answer.get("status") != "done"
                yield fields["data"] if "job_id" in answer else json.dumps(_dead(job_id, fields))


def _parsed(fields: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        answer = json_of(fields.get("data", ""))
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _dead(job_id: str, fields: Mapping[str, str]) -> Mapping[str, str]:
    return {"job_id": job_id, "status": "dead_letter", "reason": fields.get("reason", "")}


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=talk_console(),
        transient=True,
        # rich would send what is printed meanwhile to its own console: data belongs on stdout, wherever that leads.
        redirect_stdout=False,
    )


if __name__ == "__main__":
    run_command(app)
