"""Connections to Redis without silent retries: a command that was sent twice must be somebody's decision."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0


def connect(url: str, *, timeout_s: float = COMMAND_TIMEOUT_S) -> Redis:
    """A client whose commands fail after `timeout_s` without a reply; nothing is sent before the first command."""
    # Half-open TCP connections are found out; a Unix socket has no such option.
    extra = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return Redis.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        **extra,
    )
