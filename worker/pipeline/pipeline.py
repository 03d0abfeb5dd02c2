"""The worker's loop: reclaim, read as many jobs as there is room for, work, finish behind the gate, renew leases."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from worker.callbacks.body import EventContext, callback_for
from worker.errors import UnreadableMessageError
from worker.observability.progress import ProgressMonitor
from worker.observability.telemetry import JobAnswered, Observer, one_line
from worker.observability.tracing import tracing
from worker.pipeline.processing import JobProcessor, JobResult
from worker.pipeline.quarantine import Quarantine
from worker.pipeline.result_writer import ResultWriter
from worker.streams.messages import LARGEST_MESSAGE, parse_job
from worker.streams.retry import REDIS_UNAVAILABLE, RetryPolicy, with_retries
from worker.streams.stream import Finished, JobStream, StreamEntry, group_is_missing
from worker.tasks import end

_log = structlog.get_logger("worker")
_LAST_WORDS_S = 3.0

GROWTH = 4.0
# Jobs that failed together do not come back together.
_JITTER = 0.2
_SHORTEST_IDLE_S = 0.2
_FORGET_EVERY_S = 600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PipelineRules:
    """How much at once and for how long; `stop_when_idle_s` ends the run after the stream was empty that long.

    An image that its server did not deliver is tried again `retries` times, first after `retry_delay_s` seconds, then
    after GROWTH times as long each time. With `cloud_events` callbacks are wrapped as such.
    """

    in_flight: int = 32
    lease_s: float = 15.0
    max_deliveries: int = 5
    drain_s: float = 25.0
    stop_when_idle_s: float | None = None
    retries: int = 0
    retry_delay_s: float = 5.0
    cloud_events: bool = False

    @property
    def look_s(self) -> float:
        """Seconds between looks for abandoned jobs and for jobs whose time has come."""
        return self.lease_s / 3


class IdleTracker:
    """Whether all queues of a worker are idle at the same time; `on_all_idle` is called once they are."""

    def __init__(self, queues: int, on_all_idle: Callable[[], None]) -> None:
        self._queues = queues
        self._on_all_idle = on_all_idle
        self._idle: set[str] = set()

    def idle(self, queue: str) -> None:
        """The queue has been idle long enough."""
        self._idle.add(queue)
        if len(self._idle) == self._queues:
            self._on_all_idle()

    def busy(self, queue: str) -> None:
        """The queue has a job again."""
        self._idle.discard(queue)


class Pipeline:
    """One worker's jobs, from the stream to the finished result; every job in work is one task."""

    def __init__(
        self,
        stream: JobStream,
        processor: JobProcessor,
        rules: PipelineRules,
        observe: Observer,
        progress: ProgressMonitor | None = None,
        idle_tracker: IdleTracker | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        """With `idle_tracker` an idle run goes on until the other queues are idle, too; they share `quarantine`."""
        self._stream = stream
        self._processor = processor
        self._rules = rules
        self._observe = observe
        self._progress = progress or ProgressMonitor()
        self._idle_tracker = idle_tracker
        self._quarantine = quarantine or Quarantine()
        self._result_writer = ResultWriter(stream.finish)
        self._retry_policy = RetryPolicy("reading jobs")
        self._in_work: dict[str, asyncio.Task[None]] = {}
        self._one_ended = asyncio.Event()
        self._own_unseen = True  # entries delivered to us that we do not know of: from an earlier life, or a lost reply
        self._next_reclaim = 0.0
        self._next_promotion = 0.0
        self._next_forgetting = 0.0
        self._busy_until = time.monotonic()

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> bool:
        """Work until `stop` is set (or the stream stays empty), then drain; False where jobs had to be handed back.

        `hurry`, when set, cuts the draining short.
        """
        renewing = asyncio.create_task(self._renew_leases())
        try:
            await _unless(stop, self._take_and_start(stop))
            return await self._drain(hurry or asyncio.Event())
        finally:
            await end(renewing)
            await self._result_writer.close()

    async def _take_and_start(self, stop: asyncio.Event) -> None:
        """Keep as many jobs in work as there is room for, until told to stop or the stream stays empty."""
        await with_retries("creating the consumer group", self._stream.ensure_group)
        self._progress.reached_redis()
        names = self._stream.names
        _log.info("worker is ready", jobs=names.jobs, group=names.group, consumer=names.consumer)
        # Being cancelled is not enough: where that got lost, no further job may be taken.
        while not stop.is_set() and not await self._idle_long_enough():
            if len(self._in_work) >= self._rules.in_flight:
                self._one_ended.clear()
                await self._one_ended.wait()
            await self._quarantine.opened()
            for entry in await self._take():
                self._start(entry)
            if self._stream.suspects_left:
                await self._try_suspect()

    async def _take(self) -> list[StreamEntry]:
        """The next entries to work on: our own unknown ones, then abandoned ones, then new ones."""
        room = self._rules.in_flight - len(self._in_work)
        try:
            await self._promote()
            entries = await self._take_own(room) or await self._take_abandoned(room)
            if not entries:
                entries = await self._stream.read_new(room, self._longest_wait_ms())
        except REDIS_UNAVAILABLE as error:
            self._own_unseen = True  # a read whose reply was lost has delivered its entries all the same
            if group_is_missing(error):
                _log.warning("consumer group missing; recreating it", error=one_line(error))
                await with_retries("creating the consumer group", self._stream.ensure_group)
            else:
                await self._retry_policy.pause(error)
            return []
        self._retry_policy.reset()
        self._progress.reached_redis()
        return entries

    async def _try_suspect(self) -> None:
        """Work on one job that was in work when workers died, with nothing else in this process.

        It is taken only then: a death would count against whatever had been taken.
        """
        self._stream.suspects_left = False
        async with self._quarantine.trial():
            try:
                besides = self._in_work.keys()
                entries = await self._stream.own_pending(1, besides, alone=1)
                if not entries:
                    entries, _ = await self._stream.reclaim(1, alone=1)
            except REDIS_UNAVAILABLE as error:
                self._own_unseen = True
                await self._retry_policy.pause(error)
                return
            for entry in entries:
                _log.info("running a suspect job alone", entry=entry.id, deliveries=entry.deliveries)
                self._start(entry, alone=True)
                await asyncio.wait([self._in_work[entry.id]])
        # There may be more: they are looked for at once, after whatever else waits.
        self._next_reclaim = 0.0

    async def _take_own(self, room: int) -> list[StreamEntry]:
        if not self._own_unseen:
            return []
        entries = await self._stream.own_pending(room, besides=self._in_work.keys())
        self._own_unseen = bool(entries)
        return entries

    async def _take_abandoned(self, room: int) -> list[StreamEntry]:
        if time.monotonic() < self._next_reclaim:
            return []
        entries, complete = await self._stream.reclaim(room)
        if complete:
            self._next_reclaim = time.monotonic() + self._rules.look_s
        if time.monotonic() >= self._next_forgetting:
            self._next_forgetting = time.monotonic() + _FORGET_EVERY_S
            await self._stream.forget_consumers()
        return entries

    async def _promote(self) -> None:
        """Put back the jobs whose time has come, of every worker; look again when the next is due."""
        if time.monotonic() < self._next_promotion:
            return
        # A job that is put aside meanwhile may set an earlier time, which must not be lost.
        self._next_promotion = math.inf
        pause = self._rules.look_s
        try:
            _, due_s = await self._stream.promote()
            pause = pause if due_s is None else min(pause, due_s)
        finally:
            self._next_promotion = min(self._next_promotion, time.monotonic() + pause)

    def _longest_wait_ms(self) -> int:
        """How long a read may block: until abandoned jobs are to be looked for, or until a job comes back."""
        if self._stream.suspects_left:
            return 1
        longest = min(self._next_reclaim, self._next_promotion) - time.monotonic()
        if self._rules.stop_when_idle_s is not None:
            left = self._busy_until + self._rules.stop_when_idle_s - time.monotonic()
            # Not less than that: jobs that wait for another try keep the stream from being empty for a while.
            longest = min(longest, max(left, _SHORTEST_IDLE_S))
        return max(1, round(longest * 1000))

    async def _idle_long_enough(self) -> bool:
        limit = self._rules.stop_when_idle_s
        if limit is None or self._in_work or time.monotonic() - self._busy_until < limit:
            return False
        try:
            empty = await self._stream.is_empty()
        except REDIS_UNAVAILABLE:
            empty = False
        if empty and self._idle_tracker is None:
            return True
        if empty and self._idle_tracker is not None:
            self._idle_tracker.idle(self._stream.names.jobs)
        self._busy_until = time.monotonic()
        return False

    def _start(self, entry: StreamEntry, *, alone: bool = False) -> None:
        """Begin to work on an entry, unless it is in work here already (a second delivery of our own)."""
        if entry.id in self._in_work:
            return
        task = asyncio.create_task(self._work(entry) if alone else self._work_among_others(entry))
        self._in_work[entry.id] = task
        self._progress.began()
        if self._idle_tracker is not None:
            self._idle_tracker.busy(self._stream.names.jobs)
        task.add_done_callback(lambda done: self._ended(entry.id, done))

    def _ended(self, entry_id: str, task: "asyncio.Task[None]") -> None:
        del self._in_work[entry_id]
        self._one_ended.set()
        self._progress.ended(finished=not task.cancelled() and task.exception() is None)
        self._busy_until = time.monotonic()
        if not task.cancelled() and (error := task.exception()) is not None:
            # It stays pending: delivered again when its lease runs out, a dead letter when that happens too often.
            _log.error("job not finished; its lease will expire", entry=entry_id, error=one_line(error))

    async def _work_among_others(self, entry: StreamEntry) -> None:
        async with self._quarantine.ordinary_work():
            await self._work(entry)

    async def _work(self, entry: StreamEntry) -> None:
        if entry.is_too_large:
            await self._bury(entry, f"The message has {entry.size} bytes; the limit is {LARGEST_MESSAGE}.")
            return
        if entry.deliveries > self._rules.max_deliveries:
            await self._bury(entry, f"Delivered {entry.deliveries - 1} times and never finished.")
            return
        try:
            job = parse_job(entry.fields)
        except UnreadableMessageError as error:
            await self._bury(entry, str(error))
            return
        if self._stream.answers_once and await self._is_repeated(entry, job.job_id):
            return
        with tracing().span("job", job.traceparent, job_id=job.job_id, entry=entry.id) as traceparent:
            answer = await self._processor.answer(job)
        if answer.untried or (answer.worth_a_retry and entry.retries < self._rules.retries):
            await self._postpone(entry, job.job_id, answer)
            return
        event_context = EventContext(self._stream.names.jobs, entry.id) if self._rules.cloud_events else None
        if traceparent != job.traceparent:
            job = replace(job, traceparent=traceparent)
        callback = callback_for(job, answer.document, event_context)
        await self._result_writer.finish(Finished(entry.id, answer.result, callback, job.job_id, answer.final))
        event = JobAnswered(
            job.job_id, entry.id, answer.outcome, entry.deliveries, answer.timings_ms, reused=answer.reused
        )
        self._observe(event)

    async def _is_repeated(self, entry: StreamEntry, job_id: str) -> bool:
        """Whether the job id has its answer already; then the entry goes without one."""
        if not await with_retries("looking up an earlier answer", lambda: self._stream.was_answered(job_id)):
            return False
        await self._result_writer.finish(Finished(entry.id, ""))
        self._observe(JobAnswered(job_id, entry.id, "repeated", entry.deliveries))
        return True

    async def _postpone(self, entry: StreamEntry, job_id: str, answer: JobResult) -> None:
        """Put the job aside; its place here is free at once."""
        delay_s = self._rules.retry_delay_s * GROWTH**entry.retries * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        delay_s = answer.retry_after_s if answer.untried else max(delay_s, answer.retry_after_s)
        failed = entry.retries + (not answer.untried)
        aside = await with_retries("rescheduling a job", lambda: self._stream.postpone(entry, delay_s, failed))
        # Also where it was put aside before the reply was lost.
        self._next_promotion = min(self._next_promotion, time.monotonic() + delay_s)
        if aside:
            self._observe(JobAnswered(job_id, entry.id, "postponed", entry.deliveries, answer.timings_ms))

    async def _bury(self, entry: StreamEntry, reason: str) -> None:
        if await with_retries("dead-lettering a job", lambda: self._stream.bury(entry, reason)):
            _log.warning("job dead-lettered", entry=entry.id, reason=reason)
            self._observe(JobAnswered("", entry.id, "dead_letter", entry.deliveries))

    async def _renew_leases(self) -> None:
        retry_policy = RetryPolicy("renewing leases")
        while True:
            await asyncio.sleep(self._rules.lease_s / 3)
            try:
                held = list(self._in_work)
                await self._stream.renew(held)
                retry_policy.reset()
                if held:
                    self._progress.reached_redis()
            except REDIS_UNAVAILABLE as error:
                await retry_policy.pause(error)

    async def _drain(self, hurry: asyncio.Event) -> bool:
        """Finish what is in work within the grace time, hand the rest back; False where there was a rest."""
        self._progress.drain()
        await _quietly(self._stream.drop_reader)
        if working := list(self._in_work.values()):
            _log.info("draining", jobs=len(working), seconds=self._rules.drain_s)
            await _unless(hurry, asyncio.wait(working, timeout=self._rules.drain_s))
        left = list(self._in_work.values())
        await end(*left)
        given = await _quietly(self._stream.hand_back)
        if given:
            _log.warning("unfinished jobs handed back", jobs=given)
        await _quietly(self._stream.leave)
        return not left


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The outcome of `work`; None where `stop` was set first and the work cancelled."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(working, stopping)
    return None if working.cancelled() else working.result()


async def _quietly(command: Callable[[], Awaitable[T]]) -> T | None:
    """The outcome of a last command at the end; None where Redis does not answer soon."""
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            return await command()
    except (TimeoutError, *REDIS_UNAVAILABLE) as error:
        _log.warning("redis unavailable at shutdown; leases will expire", error=one_line(error))
        return None
