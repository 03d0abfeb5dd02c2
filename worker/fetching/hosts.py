"""Places for fetches: a host that is slow, or that nobody knows yet, takes at most so many of them at once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from worker.errors import HostBusyError

_QUICK_SHARE, _NEWEST = 0.5, 0.1
_MOST_KNOWN = 10_000
_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0


@dataclass(slots=True)
class _Host:
    """`running` are the starts of the fetches under way, `waiting` how many jobs were put aside for it lately.

    `quickness` is the share of the last fetches that were quick, whatever they brought; None before the first.
    """

    running: list[float] = field(default_factory=list)
    quickness: float | None = None
    waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Hosts:
    """Who fetches from where; `most` fetches of one slow host at once, 0 for no limit.

    A host that answers within `quick_s` takes as many places as there are. One that nobody knows yet has a moment to
    show that it does; whoever finds no place at a slow host is told so at once.
    """

    def __init__(self, most: int, quick_s: float = 2.0) -> None:
        self._most = most
        self._quick_s = quick_s
        self._hosts: dict[str, _Host] = {}

    @contextlib.asynccontextmanager
    async def place(self, name: str) -> AsyncIterator[None]:
        """A place for one fetch from the host; HostBusyError where it has none left."""
        if not self._most:
            yield
            return
        host = await self._admitted(_site(name))
        started = time.monotonic()
        host.running.append(started)
        host.waiting = max(0, host.waiting - 1)
        try:
            yield
        finally:
            host.running.remove(started)
            quick = float(time.monotonic() - started <= self._quick_s)
            host.quickness = quick if host.quickness is None else host.quickness + _NEWEST * (quick - host.quickness)
            host.changed.set()

    async def _admitted(self, site: str) -> _Host:
        host = self._known(site)
        deadline = time.monotonic() + self._quick_s
        while not self._has_room(host):
            left = deadline - time.monotonic()
            if host.quickness is not None or left <= 0:
                host.waiting += 1
                pause_s = min(_LONGEST_PAUSE_S, _PAUSE_S * (1 + host.waiting // self._most))
                raise HostBusyError(f"{self._most} fetches from {site} are slow; others wait.", pause_s)
            host.changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(host.changed.wait(), left)
        return host

    def _has_room(self, host: _Host) -> bool:
        if len(host.running) < self._most:
            return True
        if host.quickness is None or host.quickness < _QUICK_SHARE:
            return False
        since = time.monotonic() - self._quick_s
        return sum(started < since for started in host.running) < self._most

    def _known(self, site: str) -> _Host:
        """The host's state; those with nothing under way are forgotten first, the longest unused before others."""
        host = self._hosts.pop(site, None) or _Host()
        self._hosts[site] = host
        if len(self._hosts) > _MOST_KNOWN:
            oldest = next((name for name, one in self._hosts.items() if not one.running and one is not host), None)
            if oldest is not None:
                del self._hosts[oldest]
        return host


def _site(host: str) -> str:
    """The domain that the names of one owner share (its last two labels); an address is itself."""
    return host if ":" in host or host.replace(".", "").isdigit() else ".".join(host.rsplit(".", 2)[-2:])
