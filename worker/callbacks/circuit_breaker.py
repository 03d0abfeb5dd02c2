"""Receivers that do not answer in time: they get one request at a time, so that they take no place of others."""

import contextlib
from collections.abc import Iterator

from worker.errors import CallbackFailedError

_IN_A_ROW = 3
_MOST_PLACES = 1000


class CircuitBreakers:
    """Remembers how often in a row a place (host:port) ran into the deadline, and whether it is being tried."""

    def __init__(self) -> None:
        self._timeouts: dict[str, int] = {}
        self._tried: set[str] = set()

    @contextlib.contextmanager
    def guarded(self, place: str) -> Iterator[None]:
        """Around one request; CallbackFailedError at once where the place is silent and another request is trying it.

        A TimeoutError of the request counts against the place; any other end of it clears the place.
        """
        silent = self._timeouts.get(place, 0) >= _IN_A_ROW
        if silent and place in self._tried:
            raise CallbackFailedError("The receiver did not answer the last callbacks in time.", tried=False)
        if silent:
            self._tried.add(place)
        try:
            yield
        except TimeoutError:
            self._count(place)
            raise
        except Exception:
            self._timeouts.pop(place, None)
            raise
        else:
            self._timeouts.pop(place, None)
        finally:
            if silent:
                self._tried.discard(place)

    def _count(self, place: str) -> None:
        self._timeouts[place] = self._timeouts.pop(place, 0) + 1  # the last one heard of stands last
        if len(self._timeouts) > _MOST_PLACES:
            del self._timeouts[next(iter(self._timeouts))]
