"""Names to addresses: by the system, in threads that no stranger's name server can fill."""

import asyncio
import contextlib
import os
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_MOST_LOOKUPS = 64
_MOST_OF_A_DOMAIN = 4
_MOST_KNOWN = 10_000
# Seconds for one question and questions in all, of a name server that does not answer.
_PATIENCE = "timeout:2 attempts:2"


def bound_the_systems_patience() -> None:
    """Let the system's resolver give up on a silent name server after 4 s (glibc; 10 s and more unless told)."""
    os.environ.setdefault("RES_OPTIONS", _PATIENCE)


class Resolver:
    """Name resolution, one thread a lookup: at most 64, of one domain (its last two labels) at most 4 at once.

    A quarter of the threads are kept for hosts that were resolved before. Addresses need no thread. What waits for a
    thread does so within its own deadline, and no thread keeps the process from ending.
    """

    def __init__(self, lookup: Callable[[str, int], list[str]] | None = None) -> None:
        """`lookup` asks in place of the system."""
        self._lookup = lookup or _system_addresses
        self._running: Counter[str] = Counter()
        self._known: dict[str, None] = {}
        self._changed = asyncio.Condition()
        self._waking: asyncio.Task[None] | None = None

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Every address of the host; OSError where it has none."""
        with contextlib.suppress(socket.gaierror):
            return _addresses(host, port, socket.AI_NUMERICHOST)
        domain = ".".join(host.rsplit(".", 2)[-2:])
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(host, domain))
            self._running[domain] += 1
        found = await self._asked(host, port, domain)
        self._known.pop(host, None)
        self._known[host] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return found

    def _has_room(self, host: str, domain: str) -> bool:
        most = _MOST_LOOKUPS if host in self._known else _MOST_LOOKUPS * 3 // 4
        return self._running[domain] < _MOST_OF_A_DOMAIN and self._running.total() < most

    async def _asked(self, host: str, port: int, domain: str) -> list[str]:
        """The answer of a thread; whoever no longer waits for it leaves it to itself, and its place stays taken."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def told(found: list[str], error: Exception | None) -> None:
            self._running[domain] -= 1
            if not self._running[domain]:
                del self._running[domain]
            if not answer.done():
                answer.set_exception(error) if error is not None else answer.set_result(found)
            self._waking = loop.create_task(self._wake())

        def ask() -> None:
            found: list[str] = []
            error: Exception | None = None
            try:
                found = self._lookup(host, port)
            except (OSError, UnicodeError) as problem:
                error = problem
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(told, found, error)

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        return await answer

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _system_addresses(host: str, port: int) -> list[str]:
    return _addresses(host, port)


def _addresses(host: str, port: int, flags: int = 0) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))
