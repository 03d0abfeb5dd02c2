"""Fetching an image from a stranger's URL: public addresses only, redirects checked, bytes and seconds counted."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpcore2

from forensics.errors import JobError
from forensics.version import USER_AGENT
from worker.errors import FetchFailedError
from worker.fetching.body import read_body
from worker.fetching.hosts import Hosts
from worker.fetching.resolver import Resolve, Resolver
from worker.fetching.ssrf_guard import GuardedBackend
from worker.fetching.urls import Target, follow, parse_url
from worker.fetching.wire import at_most

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3
_WORTH_ANOTHER_TRY = (408, 425, 429)
_PAUSE_S = 0.3
# A server that asks for more is asked again as a job that was put aside.
_LONGEST_PAUSE_S = 2.0
_LONGEST_RETRY_AFTER_S = 3600.0
# What may cross the wire beside the body: headers, and the framing of chunks.
_HEADERS_BYTES, _FRAMING_SHARE = 256 * 1024, 4


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """`timeout_s` covers one fetch in all; `allowed_places` (host:port) are exempt from the address and port rules.

    `per_host` is how many fetches a slow host gets at once (0: any number).
    """

    max_bytes: int = 20 * 1024 * 1024
    timeout_s: float = 15.0
    attempts: int = 2
    allowed_places: frozenset[str] = frozenset()
    user_agent: str = USER_AGENT.decode()
    per_host: int = 0


class Fetcher:
    """Fetches images; `connections` bounds how many at once. No proxy, no cookies, no credentials, HTTP/1.1."""

    def __init__(
        self,
        limits: FetchLimits = FetchLimits(),
        *,
        connections: int = 32,
        resolve: Resolve | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._limits = limits
        self._hosts = Hosts(limits.per_host, min(2.0, limits.timeout_s / 2))
        self._pool = httpcore2.AsyncConnectionPool(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            network_backend=GuardedBackend(resolve or Resolver(), limits.allowed_places, network),
        )

    async def fetch(self, url: str) -> bytes:
        """The bytes behind the URL.

        BadJobError, BlockedUrlError and TooLargeError are final; FetchFailedError says whether to try again, after
        this has tried `attempts` times itself. HostBusyError where the host has no place left.
        """
        target = parse_url(url, self._limits.allowed_places)
        try:
            async with self._hosts.place(target.host), asyncio.timeout(self._limits.timeout_s):
                return await self._persistently(target)
        except TimeoutError:
            raise FetchFailedError(
                f"The server did not deliver the image within {self._limits.timeout_s:g} s.", retryable=True
            ) from None

    async def _persistently(self, target: Target) -> bytes:
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return await self._through_redirects(target)
            except JobError as error:
                asked_s = (error.retry_after_s or 0.0) if isinstance(error, FetchFailedError) else 0.0
                if not error.retryable or asked_s > _LONGEST_PAUSE_S or attempt == self._limits.attempts:
                    raise
            await asyncio.sleep(max(_PAUSE_S * attempt, asked_s))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _through_redirects(self, target: Target) -> bytes:
        for _ in range(_MOST_REDIRECTS + 1):
            outcome = await self._once(target)
            if isinstance(outcome, bytes):
                return outcome
            target = outcome
        raise FetchFailedError(f"The server redirects more than {_MOST_REDIRECTS} times.")

    async def _once(self, target: Target) -> bytes | Target:
        """One request: the body, or where a redirect leads."""
        url = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        headers = [
            (b"Host", target.host_header),
            (b"User-Agent", self._limits.user_agent.encode()),
            (b"Accept", b"image/*,*/*;q=0.1"),
            (b"Accept-Encoding", b"identity"),
        ]
        most = self._limits.max_bytes
        try:
            with at_most(most + most // _FRAMING_SHARE + _HEADERS_BYTES):
                return await self._answer(target, url, headers)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            raise FetchFailedError(f"The image could not be fetched: {_reason(error)}.", retryable=True) from error

    async def _answer(self, target: Target, url: httpcore2.URL, headers: list[tuple[bytes, bytes]]) -> bytes | Target:
        async with self._pool.stream("GET", url, headers=headers) as response:
            found = {name.lower(): value for name, value in response.headers}
            if response.status in _REDIRECTS and b"location" in found:
                return follow(target, _text(found[b"location"]), self._limits.allowed_places)
            _check_status(response.status, found.get(b"retry-after", b""))
            async with aclosing(response.aiter_stream()) as chunks:
                return await read_body(chunks, found, self._limits.max_bytes)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


def _check_status(status: int, retry_after: bytes) -> None:
    if status in (200, 203):
        return
    retryable = status >= 500 or status in _WORTH_ANOTHER_TRY
    after_s = _seconds(_text(retry_after)) if retryable else None
    raise FetchFailedError(f"The server answered {status}.", retryable=retryable, retry_after_s=after_s)


def _seconds(retry_after: str) -> float | None:
    """The seconds that a Retry-After asks for, at most an hour; None where it says nothing usable."""
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10:
        return min(float(retry_after), _LONGEST_RETRY_AFTER_S)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    left = when.timestamp() - time.time()
    return min(max(left, 0.0), _LONGEST_RETRY_AFTER_S)


def _text(header: bytes) -> str:
    """A header's value: servers write UTF-8, whatever the standard says, and Latin-1 stands for any other bytes."""
    try:
        return header.decode("utf-8")
    except UnicodeDecodeError:
        return header.decode("latin-1")


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())[:200].rstrip(".")
    return text or type(error).__name__
