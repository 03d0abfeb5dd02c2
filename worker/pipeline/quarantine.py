"""Trials: a job that was in work when workers died is tried while this process works on nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Quarantine:
    """One for all queues of a process, because a job that kills the process takes the jobs of every queue along."""

    def __init__(self) -> None:
        self._in_work = 0
        self._nothing_in_work = asyncio.Event()
        self._nothing_in_work.set()
        self._open = asyncio.Event()
        self._open.set()
        self._one_trial = asyncio.Lock()

    async def opened(self) -> None:
        """Return when no trial is wanted or under way; only then may jobs be taken or begun."""
        await self._open.wait()

    @contextlib.asynccontextmanager
    async def ordinary_work(self) -> AsyncIterator[None]:
        """Around the work on a job that is no suspect; begins when no trial is wanted or under way."""
        await self.opened()
        self._in_work += 1
        self._nothing_in_work.clear()
        try:
            yield
        finally:
            self._in_work -= 1
            if not self._in_work:
                self._nothing_in_work.set()

    @contextlib.asynccontextmanager
    async def trial(self) -> AsyncIterator[None]:
        """Around taking and working on one suspect; begins when everything else has ended, and holds up the rest."""
        async with self._one_trial:
            self._open.clear()
            try:
                await self._nothing_in_work.wait()
                yield
            finally:
                self._open.set()
