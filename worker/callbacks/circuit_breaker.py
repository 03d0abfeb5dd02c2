"""Receivers that do not answer in time: they get one request at a time, so that they take no place of others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from worker.errors import CallbackFailedError

_IN_A_ROW = 3
_MOST_PLACES = 10_000
_NEWCOMERS_WAIT_S = 1.0


class CircuitBreakers:
    """Remembers of each place how often in a row it ran into the deadline, and whether it ever answered.

    Places that never answered share `newcomers` requests at once.
    """

    def __init__(self, newcomers: int) -> None:
        self._timeouts: dict[str, int] = {}
        self._tried: set[str] = set()
        self._answered: dict[str, None] = {}
        self._room = asyncio.Semaphore(newcomers)

    @contextlib.asynccontextmanager
    async def guarded(self, place: str) -> AsyncIterator[None]:
        """Around one request; CallbackFailedError at once where the place is silent and another request is trying it,
        and after a moment where the place is new and too many others are.

        A TimeoutError of the request counts against the place; any other end of it clears the place.
        """
        if place in self._answered:
            async with self._counted(place):
                yield
            return
        try:
            async with asyncio.timeout(_NEWCOMERS_WAIT_S):
                await self._room.acquire()
        except TimeoutError:
            told = "Too many receivers that never answered yet are being tried."
            raise CallbackFailedError(told, tried=False, soon=True) from None
        try:
            async with self._counted(place):
                yield
        finally:
            self._room.release()

    @contextlib.asynccontextmanager
    async def _counted(self, place: str) -> AsyncIterator[None]:
        silent = self._timeouts.get(place, 0) >= _IN_A_ROW
        if silent and place in self._tried:
            raise CallbackFailedError("The receiver did not answer the last callbacks in time.", tried=False)
        if silent:
            self._tried.add(place)
        try:
            yield
        except TimeoutError:
            self._timeouts[place] = self._timeouts.pop(place, 0) + 1  # the last one heard of stands last
            _forget_oldest(self._timeouts)
            raise
        except Exception:
            self._timeouts.pop(place, None)
            raise
        else:
            self._timeouts.pop(place, None)
            self._answered[place] = None
            _forget_oldest(self._answered)
        finally:
            if silent:
                self._tried.discard(place)


def _forget_oldest(places: dict[str, int] | dict[str, None]) -> None:
    if len(places) > _MOST_PLACES:
        del places[next(iter(places))]
