"""Writing results: whatever piled up while the last write was under way goes out in the next one, behind the gate."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from worker.patience import insist

Finish = Callable[[Sequence[tuple[str, str]]], Awaitable[int]]

_MOST_AT_ONCE = 200
_log = structlog.get_logger("worker.redis")


class Finisher:
    """Writes results through `finish` until Redis has taken them; repeating a write is harmless behind the gate."""

    def __init__(self, finish: Finish) -> None:
        self._finish = finish
        self._waiting: asyncio.Queue[tuple[str, str, asyncio.Future[None]]] = asyncio.Queue()
        self._writing = asyncio.create_task(self._write())

    async def finish(self, entry_id: str, result: str) -> None:
        """Return when the entry's result is written, or somebody else's is."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((entry_id, result, done))
        await done

    async def _write(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _MOST_AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            pairs = [(entry_id, result) for entry_id, result, _ in batch]
            written = await insist("writing results", lambda pairs=pairs: self._finish(pairs))  # type: ignore[misc]
            if written < len(batch):
                _log.info("somebody else finished first", entries=len(batch) - written)
            for _, _, done in batch:
                if not done.done():
                    done.set_result(None)

    async def close(self) -> None:
        """Stop writing; what is not written stays pending."""
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)
