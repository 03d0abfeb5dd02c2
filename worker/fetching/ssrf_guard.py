"""The network as strangers' URLs see it: names are resolved once, checked, and the checked address is connected to."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar

import httpcore2

from worker.errors import BlockedUrlError
from worker.fetching.addresses import is_public
from worker.fetching.resolver import Resolve
from worker.fetching.wire import CountedStream

# The addresses of a place (host, port) that were resolved and checked for the request that is under way.
_checked: ContextVar[tuple[str, int, Sequence[str]] | None] = ContextVar("checked addresses", default=None)


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

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The host's addresses, all of them allowed; else BlockedUrlError, or ConnectError where there is none."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the host cannot be resolved: {error}") from None
        if place not in self._allowed_places and not all(_is_public(address) for address in found):
            raise BlockedUrlError("The host has an address that is not on the public internet.")
        if not found:
            raise httpcore2.ConnectError("the host has no address")
        return found

    @contextlib.contextmanager
    def connecting_to(self, host: str, port: int, addresses: Sequence[str]) -> Iterator[None]:
        """Inside, this task connects to these addresses of the host, and resolves its name no second time."""
        token = _checked.set((host, port, addresses))
        try:
            yield
        finally:
            _checked.reset(token)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first of the host's addresses that answers."""
        known = _checked.get()
        addresses = known[2] if known is not None and known[:2] == (host, port) else await self.addresses(host, port)
        problem: Exception = httpcore2.ConnectError("the host has no address")
        for address in addresses:
            try:
                inner = await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
                return CountedStream(inner)
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
