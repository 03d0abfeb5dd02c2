"""Writing results: whatever piled up while the last write was under way goes out in the next one, behind the gate."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence

import structlog

from worker.streams.retry import with_retries
from worker.streams.stream import Finished
from worker.tasks import end

Finish = Callable[[Sequence[Finished]], Awaitable[int]]
_Waiting = tuple[Finished, "asyncio.Future[None]"]

# Few enough that others are read while these are written, and that Redis is not held up for long.
_MOST_AT_ONCE = 64
_log = structlog.get_logger("worker.redis")


class ResultWriter:
    """Writes results through `finish` until Redis has taken them; repeating a write is harmless behind the gate."""

    def __init__(self, finish: Finish) -> None:
        self._finish = finish
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._writing = asyncio.create_task(self._write())

    async def finish(self, entry: Finished) -> None:
        """Return when the entry's result is written (and its callback on the way), or somebody else's is."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((entry, done))
        await done

    async def _write(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _MOST_AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._write_batch(batch)

    async def _write_batch(self, batch: Sequence[_Waiting]) -> None:
        """Write the batch; an entry that cannot even be sent fails alone, and whoever waits for it is told."""
        entries = [entry for entry, _ in batch]
        try:
            written = await with_retries("writing results", functools.partial(self._finish, entries))
        except Exception as error:  # noqa: BLE001 - the boundary: nothing is written any more once this task has ended
            if len(batch) > 1:
                for one in batch:
                    await self._write_batch([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        if unwritten := sum(bool(entry.result) for entry in entries) - written:
            _log.info("another worker finished first", entries=unwritten)
        for _, done in batch:
            if not done.done():
                done.set_result(None)

    async def close(self) -> None:
        """Stop writing; what is not written stays pending."""
        await end(self._writing)
