"""Writing results: whatever piled up while the last write was under way goes out in the next one, behind the gate."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from worker.callback_body import Callback
from worker.patience import insist

Finish = Callable[[Sequence[tuple[str, str]], Mapping[str, Callback]], Awaitable[int]]

_Waiting = tuple[str, str, Callback | None, asyncio.Future[None]]
# Few enough that others are read while these are written, and that Redis is not held up for long.
_MOST_AT_ONCE = 64
_log = structlog.get_logger("worker.redis")


class Finisher:
    """Writes results through `finish` until Redis has taken them; repeating a write is harmless behind the gate."""

    def __init__(self, finish: Finish) -> None:
        self._finish = finish
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._writing = asyncio.create_task(self._write())

    async def finish(self, entry_id: str, result: str, callback: Callback | None = None) -> None:
        """Return when the entry's result is written (and its callback on the way), or somebody else's is."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((entry_id, result, callback, done))
        await done

    async def _write(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _MOST_AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            written = await insist("writing results", functools.partial(self._finish, *_sorted_out(batch)))
            if written < len(batch):
                _log.info("somebody else finished first", entries=len(batch) - written)
            for *_, done in batch:
                if not done.done():
                    done.set_result(None)

    async def close(self) -> None:
        """Stop writing; what is not written stays pending."""
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)


def _sorted_out(batch: Sequence[_Waiting]) -> tuple[list[tuple[str, str]], dict[str, Callback]]:
    """The results of a batch, and the callbacks of those that have one."""
    results = [(entry_id, result) for entry_id, result, _, _ in batch]
    return results, {entry_id: callback for entry_id, _, callback, _ in batch if callback is not None}
