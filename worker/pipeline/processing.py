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
from worker.errors import FetchFailedError, HostBusyError, InternalError
from worker.observability.tracing import now_ns, tracing
from worker.streams.messages import Job
from worker.streams.verdict_cache import Cache, CachedVerdict, NoCache

_log = structlog.get_logger("worker")


Outcome = Verdict | CachedVerdict | JobError


@dataclass(frozen=True, slots=True)
class Stages:
    """The stations an image passes; each of the first three raises a JobError where its road ends there.

    `draw` keeps the maps of a judged image for the job of that id, and never raises.
    """

    fetch: Callable[[str], Awaitable[bytes]]
    examine: Callable[[bytes], Awaitable[Examined]]
    conclude: Callable[[Examined], Awaitable[Verdict]]
    draw: Callable[[str, Examined, Verdict], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result document of one job and its JSON; `outcome` is its label or its error code.

    `worth_a_retry` says that the server behind the URL may well deliver the image later (not before `retry_after_s`
    seconds, where it said so), `untried` that it was not asked yet, `final` that asking again would change nothing,
    `reused` that the verdict on these bytes was known.
    """

    document: Mapping[str, Any]
    result: str
    outcome: str
    timings_ms: Mapping[str, float]
    worth_a_retry: bool = False
    retry_after_s: float = 0.0
    untried: bool = False
    final: bool = True
    reused: bool = False


class JobProcessor:
    """Answers jobs; at most `max_decoded` decoded images are held at once, whatever their number in work."""

    def __init__(self, stages: Stages, max_decoded: int, cache: Cache | None = None) -> None:
        self._stages = stages
        self._cache = cache or NoCache()
        self._decoded_images = asyncio.Semaphore(max_decoded)

    async def answer(self, job: Job) -> JobResult:
        """The answer to one job; never raises over an image."""
        timings: dict[str, float] = {}
        outcome: Outcome
        try:
            started = time.perf_counter()
            try:
                outcome = await self._verdict(job, timings)
            finally:
                timings["total"] = (time.perf_counter() - started) * 1000
        except JobError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001 - the boundary: a job always gets its answer
            _log.exception("unexpected error on a job", job_id=job.job_id)
            outcome = InternalError(
                f"The worker hit an internal error on this image ({type(error).__name__}).", retryable=True
            )
        document, text = _written(outcome, job, timings)
        if isinstance(outcome, Verdict):
            await self._cache.keep(outcome, document)
        name = outcome.code if isinstance(outcome, JobError) else outcome.label
        retryable = isinstance(outcome, JobError) and outcome.retryable
        return JobResult(
            document,
            text,
            name,
            timings,
            worth_a_retry=retryable and isinstance(outcome, FetchFailedError),
            retry_after_s=(outcome.retry_after_s or 0.0) if isinstance(outcome, FetchFailedError) else 0.0,
            untried=isinstance(outcome, HostBusyError),
            final=not retryable,
            reused=isinstance(outcome, CachedVerdict),
        )

    async def _verdict(self, job: Job, timings: dict[str, float]) -> Verdict | CachedVerdict:
        url = job.url()
        with _clocked(timings, "fetch"):
            data = await self._stages.fetch(url)
        # Maps are drawn on pixels, which a remembered verdict has not.
        known = None if job.maps else await self._cache.find(data)
        if known is not None:
            return known
        async with self._decoded_images:
            with _clocked(timings, "examine"):
                since = now_ns()
                examined = await self._stages.examine(data)
                tracing().detectors(examined.evidence.timings_ms, since)
            del data
            with _clocked(timings, "conclude"):
                since = now_ns()
                verdict = await self._stages.conclude(examined)
                spent = verdict.evidence.timings_ms.items() - examined.evidence.timings_ms.items()
                tracing().detectors(dict(spent), since)
            if job.maps and self._stages.draw is not None:
                with _clocked(timings, "draw"):
                    await self._stages.draw(job.job_id, examined, verdict)
            return verdict


def _written(outcome: Outcome, job: Job, timings: Mapping[str, float]) -> tuple[Mapping[str, Any], str]:
    """The result's document, and the same as JSON."""
    about: dict[str, Any] = {"job_id": job.job_id, "client_id": job.client_id, "image_url": job.image_url}
    if isinstance(outcome, CachedVerdict):
        rounded = {name: round(value, 3) for name, value in timings.items()}
        document = {**outcome.document, **about, "timings_ms": rounded}
        return document, _as_json(document)
    try:
        document = result_document(outcome, **about, timings_ms=timings)
        return document, _as_json(document)
    except Exception as error:  # noqa: BLE001 - the boundary: a job always gets its answer
        _log.exception("verdict cannot be serialized", job_id=job.job_id)
        replacement = InternalError(f"The verdict cannot be serialized ({type(error).__name__}).")
        document = result_document(replacement, **about, timings_ms=timings)
        return document, _as_json(document)


def _as_json(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@contextlib.contextmanager
def _clocked(timings: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        with tracing().span(name):
            yield
    finally:
        timings[name] = (time.perf_counter() - started) * 1000
