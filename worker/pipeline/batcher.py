"""Micro-batches for the one engine thread: at most so many images, waiting at most so long for each other."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from forensics.examine import Examined
from fusion.verdict import Verdict
from worker.errors import InternalError
from worker.observability.telemetry import one_line
from worker.tasks import end

Conclude = Callable[[Sequence[Examined]], list[Verdict]]

T = TypeVar("T")
_log = structlog.get_logger("worker.engine")


@dataclass(frozen=True, slots=True)
class _Waiting:
    examined: Examined
    verdict: "asyncio.Future[Verdict]"


class Batcher:
    """Hands images to `conclude` in batches, in a thread of its own that owns the device.

    An image that makes its batch fail fails alone: the batch is repeated one image at a time.
    """

    def __init__(self, conclude: Conclude, *, size: int, wait_s: float) -> None:
        self._conclude = conclude
        self._size = size
        self._wait_s = wait_s
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._batches: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._free = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # A daemon: an engine that hangs must not keep the worker from ending.
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._gathering = asyncio.create_task(self._gather())
        self._thread.start()
        self._free.set()

    async def conclude(self, examined: Examined) -> Verdict:
        """The verdict on one image; InternalError where the engine failed on it."""
        waiting = _Waiting(examined, self._loop.create_future())
        self._waiting.put_nowait(waiting)
        return await waiting.verdict

    async def between(self, work: Callable[[], T]) -> T:
        """What `work` gives in the engine's thread, between two batches; raises what it raises."""
        given: asyncio.Future[T] = self._loop.create_future()
        self._batches.put(partial(self._do, work, given))
        return await given

    async def _gather(self) -> None:
        """Fill batches; the next one is handed over when the engine is done with the last, and grows until then."""
        while True:
            batch = [await self._waiting.get()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s):
                    while len(batch) < self._size:
                        batch.append(await self._waiting.get())
            await self._free.wait()
            while len(batch) < self._size and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            self._free.clear()
            self._batches.put(partial(self._judge, [one for one in batch if not one.verdict.done()]))

    def _work(self) -> None:
        while (work := self._batches.get()) is not None:
            work()

    def _judge(self, batch: Sequence[_Waiting]) -> None:
        for one, outcome in zip(batch, self._outcomes([b.examined for b in batch]), strict=True):
            self._call(_settle, one.verdict, outcome)
        self._call(self._free.set)

    def _do(self, work: Callable[[], T], given: "asyncio.Future[T]") -> None:
        try:
            self._call(_settle, given, work())
        except Exception as error:  # noqa: BLE001 - the boundary: it is the asker's to handle
            self._call(_settle, given, error)

    def _outcomes(self, items: Sequence[Examined]) -> list[Verdict | InternalError]:
        if not items:
            return []
        try:
            verdicts = self._conclude(items)
            if len(verdicts) != len(items):
                raise ValueError(f"{len(verdicts)} verdicts for {len(items)} images")
        except Exception as error:  # noqa: BLE001 - the boundary: whatever a network raises is this batch's problem only
            if len(items) > 1:
                _log.warning("batch failed; retrying images one by one", size=len(items), error=one_line(error))
                return [outcome for item in items for outcome in self._outcomes([item])]
            _log.error("engine failed on an image", sha256=items[0].evidence.image_sha256, error=one_line(error))
            return [InternalError(f"The detectors failed on this image ({type(error).__name__}).", retryable=True)]
        return list(verdicts)

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop has ended, and with it everybody who waited
            return

    async def close(self) -> bool:
        """Stop gathering and the thread; False where the engine is still busy with a batch."""
        await end(self._gathering)
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join, 0.5)
        return not self._thread.is_alive()


def _settle(given: "asyncio.Future[T]", outcome: T | Exception) -> None:
    if given.done():
        return
    if isinstance(outcome, Exception):
        given.set_exception(outcome)
    else:
        given.set_result(outcome)
