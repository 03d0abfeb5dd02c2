"""From one job to its answer: fetch, examine, conclude; whatever goes wrong becomes an error result of this job."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from forensics.errors import JobError
from forensics.examine import Examined
from fusion.output.result import result_document
from fusion.verdict import Verdict
from worker.errors import FetchFailedError, InternalError
from worker.streams.messages import Job
from worker.streams.verdict_cache import Memory, NoMemory, Remembered

_log = structlog.get_logger("worker")


Outcome = Verdict | Remembered | JobError


@dataclass(frozen=True, slots=True)
class Stations:
    """The three stations an image passes; each raises a JobError where its road ends there."""

    fetch: Callable[[str], Awaitable[bytes]]
    examine: Callable[[bytes], Awaitable[Examined]]
    conclude: Callable[[Examined], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The result document of one job and its JSON; `outcome` is its label or its error code.

    `worth_a_retry` says that the server behind the URL may well deliver the image later (not before `retry_after_s`
    seconds, where it said so), `final` that asking again
    would change nothing, `reused` that the verdict on these bytes was known.
    """

    document: Mapping[str, Any]
    result: str
    outcome: str
    timings_ms: Mapping[str, float]
    worth_a_retry: bool = False
    retry_after_s: float = 0.0
    final: bool = True
    reused: bool = False


class Answerer:
    """Answers jobs; at most `benches` decoded images are held at once, whatever their number in work."""

    def __init__(self, stations: Stations, benches: int, memory: Memory | None = None) -> None:
        self._stations = stations
        self._memory = memory or NoMemory()
        self._benches = asyncio.Semaphore(benches)

    async def answer(self, job: Job) -> Answer:
        """The answer to one job; never raises over an image."""
        timings: dict[str, float] = {}
        outcome: Outcome
        try:
            with _clocked(timings, "total"):
                outcome = await self._verdict(job, timings)
        except JobError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001 - the boundary: a job always gets its answer
            _log.exception("worker failed on a job", job_id=job.job_id)
            outcome = InternalError(f"The worker failed on this image ({type(error).__name__}).", retryable=True)
        document, text = _written(outcome, job, timings)
        if isinstance(outcome, Verdict):
            await self._memory.keep(outcome, document)
        name = outcome.code if isinstance(outcome, JobError) else outcome.label
        retryable = isinstance(outcome, JobError) and outcome.retryable
        return Answer(
            document,
            text,
            name,
            timings,
            worth_a_retry=retryable and isinstance(outcome, FetchFailedError),
            retry_after_s=(outcome.retry_after_s or 0.0) if isinstance(outcome, FetchFailedError) else 0.0,
            final=not retryable,
            reused=isinstance(outcome, Remembered),
        )

    async def _verdict(self, job: Job, timings: dict[str, float]) -> Verdict | Remembered:
        url = job.url()
        with _clocked(timings, "fetch"):
            data = await self._stations.fetch(url)
        known = await self._memory.find(data)
        if known is not None:
            return known
        async with self._benches:
            with _clocked(timings, "examine"):
                examined = await self._stations.examine(data)
            del data
            with _clocked(timings, "conclude"):
                return await self._stations.conclude(examined)


def _written(outcome: Outcome, job: Job, timings: Mapping[str, float]) -> tuple[Mapping[str, Any], str]:
    """The result's document, and the same as JSON."""
    about: dict[str, Any] = {"job_id": job.job_id, "client_id": job.client_id, "image_url": job.image_url}
    if isinstance(outcome, Remembered):
        rounded = {name: round(value, 3) for name, value in timings.items()}
        document = {**outcome.document, **about, "timings_ms": rounded}
        return document, _as_json(document)
    try:
        document = result_document(outcome, **about, timings_ms=timings)
        return document, _as_json(document)
    except Exception as error:  # noqa: BLE001 - the boundary: a job always gets its answer
        _log.exception("verdict cannot be written down", job_id=job.job_id)
        replacement = InternalError(f"The verdict cannot be written down ({type(error).__name__}).")
        document = result_document(replacement, **about, timings_ms=timings)
        return document, _as_json(document)


def _as_json(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@contextlib.contextmanager
def _clocked(timings: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        timings[name] = (time.perf_counter() - started) * 1000
