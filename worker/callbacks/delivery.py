"""Delivering callbacks beside the pipeline: posted, tried again later with growing delays, given up with a reason."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from worker.errors import CallbackFailedError
from worker.observability.telemetry import one_line
from worker.observability.tracing import tracing
from worker.streams.outbox import Outbox, OutboxEntry
from worker.streams.retry import REDIS_UNAVAILABLE, RetryPolicy, with_retries
from worker.tasks import end

# The URL, the body, and the traceparent that goes along, or "".
Post = Callable[[str, bytes, str], Awaitable[None]]

_GROWTH = 4.0
_LONGEST_DELAY_S = 3600.0
# A refusal without a request waits as long as after so many failures.
_SILENT_AS = 3
_AFTER_A_BUG_S = 1.0
_LAST_WORDS_S = 3.0
_log = structlog.get_logger("worker.callbacks")


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How many at once, how often, and how long to wait after the first failure; each further wait is 4 times longer.

    `lease_s` is how long others leave a callback alone that this worker does not renew; `drain_s` is the grace time.
    """

    concurrency: int = 8
    max_attempts: int = 8
    first_delay_s: float = 1.0
    lease_s: float = 15.0
    drain_s: float = 25.0


class Deliverer:
    """Delivers what is in the outbox, at least once; every callback being posted is one task, a waiting one is none."""

    def __init__(self, outbox: Outbox, post: Post, rules: DeliveryRules, written: asyncio.Event) -> None:
        """`written` is set whenever there may be something new; besides, the outbox is looked into every half lease."""
        self._outbox = outbox
        self._post = post
        self._rules = rules
        self._written = written
        self._retry_policy = RetryPolicy("reading callbacks")
        self._in_work: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event) -> None:
        """Deliver until `stop` is set, then finish what is being posted within the grace time; `hurry` cuts it short.

        What is not delivered stays in the outbox, for whoever comes next.
        """
        renewing = asyncio.create_task(self._renew_leases())
        try:
            while not stop.is_set():
                self._written.clear()
                try:
                    await self._wait(stop, await self._fill())
                except Exception:  # noqa: BLE001 - the boundary: a worker that delivers nothing must not look alive
                    _log.exception("callback delivery failed; continuing")
                    await asyncio.sleep(_AFTER_A_BUG_S)
            if self._in_work:
                _log.info("draining callbacks", callbacks=len(self._in_work))
                await self._first_of(hurry.wait(), asyncio.wait(self._in_work.values()), timeout=self._rules.drain_s)
        finally:
            await end(renewing, *self._in_work.values())
            await self._leave()

    async def _leave(self) -> None:
        """Remove this consumer's name, and those of workers long gone; where Redis is away, others will."""
        with contextlib.suppress(TimeoutError, *REDIS_UNAVAILABLE):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._outbox.leave()
                await self._outbox.forget_consumers()

    async def _fill(self) -> float:
        """Start as many deliveries as there is room for; the seconds until it is worth looking again by itself."""
        room = self._rules.concurrency - len(self._in_work)
        longest = self._rules.lease_s / 2
        if room <= 0:
            return longest
        try:
            entries, next_due_s = await self._outbox.take(room)
        except REDIS_UNAVAILABLE as error:
            await self._retry_policy.pause(error)
            return 0.0
        self._retry_policy.reset()
        for entry in entries:
            self._start(entry)
        return longest if next_due_s is None else min(longest, next_due_s)

    async def _wait(self, stop: asyncio.Event, longest_s: float) -> None:
        """Until something new was written, a delivery has ended and left room, `stop`, or `longest_s` at most."""
        full = len(self._in_work) >= self._rules.concurrency
        if full:
            await self._first_of(stop.wait(), asyncio.wait(self._in_work.values(), return_when="FIRST_COMPLETED"))
        else:
            await self._first_of(stop.wait(), self._written.wait(), timeout=longest_s)

    @staticmethod
    async def _first_of(*awaited: Awaitable[object], timeout: float | None = None) -> None:  # noqa: ASYNC109
        waiting = [asyncio.ensure_future(one) for one in awaited]
        try:
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _start(self, entry: OutboxEntry) -> None:
        """Begin a delivery, unless it is under way here already."""
        if entry.id in self._in_work:
            return
        task = asyncio.create_task(self._deliver(entry))
        self._in_work[entry.id] = task
        task.add_done_callback(lambda done: self._ended(entry, done))

    def _ended(self, entry: OutboxEntry, task: "asyncio.Task[None]") -> None:
        del self._in_work[entry.id]
        if not task.cancelled() and (error := task.exception()) is not None:
            # It stays pending and comes again when its lease runs out.
            _log.error("callback handling failed; its lease will expire", job_id=entry.job_id, error=one_line(error))

    async def _deliver(self, entry: OutboxEntry) -> None:
        started = time.perf_counter()
        try:
            with tracing().span("callback", entry.traceparent, job_id=entry.job_id) as traceparent:
                await self._post(entry.url, entry.body, traceparent)
        except CallbackFailedError as error:
            await self._failed(entry, error)
            return
        except Exception as error:  # noqa: BLE001 - the boundary: a failure that is not counted would repeat for ever
            _log.exception("unexpected error while posting a callback", job_id=entry.job_id)
            await self._failed(
                entry, CallbackFailedError(f"Posting the callback failed unexpectedly ({type(error).__name__}).")
            )
            return
        await with_retries("removing a callback", lambda: self._outbox.delivered(entry))
        spent_ms = round((time.perf_counter() - started) * 1000, 1)
        _log.info("callback delivered", job_id=entry.job_id, attempt=entry.failures + 1, post_ms=spent_ms)

    async def _failed(self, entry: OutboxEntry, error: CallbackFailedError) -> None:
        attempt = entry.failures + 1 if error.tried else entry.failures
        told = {"job_id": entry.job_id, "attempt": attempt, "reason": str(error)}
        if error.permanent or (error.tried and attempt >= self._rules.max_attempts):
            if await with_retries("dead-lettering a callback", lambda: self._outbox.bury(entry, str(error))):
                _log.warning("callback dead-lettered", **told)
            return
        # Refused without a request, because the place is silent: coming back at once would be no use to anybody.
        counted = attempt if error.tried else max(attempt, 1 if error.soon else _SILENT_AS)
        delay_s = delay_after(counted, self._rules.first_delay_s)
        if await with_retries(
            "rescheduling a callback", lambda: self._outbox.postpone(entry, delay_s, failures=attempt)
        ):
            _log.info("callback rescheduled", **told, delay_s=round(delay_s, 1))
            self._written.set()  # so that the loop learns when it is due

    async def _renew_leases(self) -> None:
        retry_policy = RetryPolicy("renewing callback leases")
        while True:
            await asyncio.sleep(self._rules.lease_s / 3)
            try:
                await self._outbox.renew(list(self._in_work))
                retry_policy.reset()
            except REDIS_UNAVAILABLE as error:
                await retry_policy.pause(error)


def delay_after(failures: int, first_s: float) -> float:
    """Seconds to wait after so many failures: growing, at most an hour, and spread so that a crowd does not return."""
    longest = min(_LONGEST_DELAY_S, first_s * _GROWTH ** (failures - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret
