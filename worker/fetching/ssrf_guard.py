"""The network as strangers' URLs see it: names are resolved once, checked, and the checked address is connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpcore2

from worker.errors import BlockedUrlError
from worker.fetching.addresses import is_public

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Resolver:
    """Name resolution by the system in its own threads, so that a slow name server holds up nothing else."""

    def __init__(self, threads: int = 16) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolve")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Every address of the host; OSError where it has none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _system_addresses, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Let the threads end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _system_addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses only; `allowed_places` (host:port) are exempt.

    One resolution serves the check and the connection, so a name server cannot answer twice in two ways. Where any
    of a host's addresses is not public the host is refused: it was made to reach the others.
    """

    def __init__(
        self, resolve: Resolve, allowed_places: frozenset[str], inner: httpcore2.AsyncNetworkBackend | None = None
    ) -> None:
        self._resolve = resolve
        self._allowed_places = allowed_places
        self._inner = inner or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first of the host's addresses that answers."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the host cannot be resolved: {error}") from None
        if place not in self._allowed_places and not all(_is_public(address) for address in addresses):
            raise BlockedUrlError("The host has an address that is not on the public internet.")
        problem: Exception = httpcore2.ConnectError("the host has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
        raise problem

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Never."""
        raise BlockedUrlError("Unix sockets are not allowed.")

    async def sleep(self, seconds: float) -> None:
        """Pause between attempts."""
        await asyncio.sleep(seconds)


def _is_public(address: str) -> bool:
    try:
        return is_public(address)
    except ValueError:
        return False
