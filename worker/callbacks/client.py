"""Posting a callback to a stranger's URL: public addresses only, signed, no redirects, seconds counted."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass

import httpcore2

from forensics.version import USER_AGENT
from worker.callbacks.body import content_type
from worker.callbacks.circuit_breaker import CircuitBreakers
from worker.errors import BadJobError, BlockedUrlError, CallbackFailedError, TooLargeError
from worker.fetching.resolver import Resolve, Resolver
from worker.fetching.ssrf_guard import GuardedBackend
from worker.fetching.urls import Target, parse_url
from worker.fetching.wire import at_most
from worker.signatures import Sign
from worker.streams.messages import is_traceparent

_MOST_READ_BYTES = 64 * 1024
_READING_S = 1.0
_MOST_ANSWERED_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class CallbackClientRules:
    """`timeout_s` covers one attempt in all; `sign`, where there is one, signs; `allowed_places` as for fetching."""

    timeout_s: float = 10.0
    sign: Sign | None = None
    allowed_places: frozenset[str] = frozenset()


class CallbackClient:
    """Posts JSON; `connections` bounds how many at once. No proxy, no cookies, no credentials, HTTP/1.1."""

    def __init__(
        self,
        rules: CallbackClientRules = CallbackClientRules(),
        *,
        connections: int = 8,
        resolve: Resolve | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._rules = rules
        self._breakers = CircuitBreakers(newcomers=max(1, connections // 2))
        self._guard = GuardedBackend(resolve or Resolver(), rules.allowed_places, network)
        self._pool = httpcore2.AsyncConnectionPool(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            network_backend=self._guard,
        )

    async def post(self, url: str, body: bytes, traceparent: str = "") -> None:
        """Return once the receiver has answered 2xx; CallbackFailedError says why not, and whether for good.

        A receiver, by its address, that was silent several times in a row is posted to by one at a time; others fail
        at once. Receivers that never answered yet take at most half of the connections.
        """
        try:
            target = parse_url(url, self._rules.allowed_places, name="callback_url")
            async with asyncio.timeout(self._rules.timeout_s):
                addresses = await self._guard.addresses(target.host, target.port)
            async with self._breakers.guarded(f"{min(addresses)} {target.port}"):
                with self._guard.connecting_to(target.host, target.port, addresses), at_most(_MOST_ANSWERED_BYTES):
                    async with asyncio.timeout(self._rules.timeout_s) as deadline:
                        status = await self._status(target, body, traceparent, deadline)
        except (BadJobError, BlockedUrlError) as error:
            raise CallbackFailedError(str(error), permanent=True) from None
        except TooLargeError as error:
            raise CallbackFailedError(str(error)) from None
        except TimeoutError:
            raise CallbackFailedError(f"The receiver did not answer within {self._rules.timeout_s:g} s.") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            raise CallbackFailedError(f"The receiver could not be reached: {reason}.") from error
        if not 200 <= status < 300:
            raise CallbackFailedError(f"The receiver answered {status}.")

    async def _status(self, target: Target, body: bytes, traceparent: str, deadline: asyncio.Timeout) -> int:
        url = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        headers = [
            (b"Host", target.host_header),
            (b"User-Agent", USER_AGENT),
            (b"Content-Type", content_type(body).encode()),
            (b"Content-Length", str(len(body)).encode()),
            (b"Accept-Encoding", b"identity"),
            *([(b"traceparent", traceparent.encode())] if is_traceparent(traceparent) else []),
            *self._signed(body),
        ]
        async with self._pool.stream("POST", url, headers=headers, content=body) as response:
            # The status has decided; the rest is read only so that the connection can serve the next callback.
            deadline.reschedule(None)
            with contextlib.suppress(TimeoutError, TooLargeError, httpcore2.NetworkError, httpcore2.ProtocolError):
                async with asyncio.timeout(min(_READING_S, self._rules.timeout_s / 2)):
                    await _skip(response.aiter_stream())
            return response.status

    def _signed(self, body: bytes) -> list[tuple[bytes, bytes]]:
        if self._rules.sign is None:
            return []
        return [(name.encode(), value.encode()) for name, value in self._rules.sign(body, int(time.time())).items()]

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


async def _skip(chunks: "AsyncIterable[bytes]") -> None:
    """Read and forget a body, at most so much of it."""
    left = _MOST_READ_BYTES
    async with aclosing(chunks) as reading:  # type: ignore[type-var]
        async for chunk in reading:
            left -= len(chunk)
            if left < 0:
                return
