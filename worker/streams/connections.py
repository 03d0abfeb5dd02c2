"""Connections to Redis without silent retries: a command that was sent twice must be somebody's decision."""

from typing import Any

from redis import ConnectionPool, Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry

COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
SCHEMES = ("redis://", "rediss://", "unix://", "redis+cluster://", "rediss+cluster://")
_CLUSTER = "+cluster:"


def is_cluster(url: str) -> bool:
    """Whether the URL names any node of a Redis Cluster."""
    return _CLUSTER in url.partition("//")[0]


def is_usable(url: str) -> bool:
    """Whether a connection can be made of the URL, its port and its options; nothing is connected to."""
    try:
        pool = ConnectionPool.from_url(_plain(url))
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, RedisError):
        return False
    return True


def connect(url: str, *, timeout_s: float = COMMAND_TIMEOUT_S) -> Any:
    """A client whose commands fail after `timeout_s` without a reply; nothing is sent before the first command.

    Typed Any, because the replies that redis-py declares differ between its releases.
    """
    options = _options(url, timeout_s) | {"retry": AsyncRetry(NoBackoff(), 0)}
    if is_cluster(url):
        return AsyncRedisCluster.from_url(_plain(url), **options)
    return AsyncRedis.from_url(url, **options)


def connect_sync(url: str, *, timeout_s: float = COMMAND_TIMEOUT_S) -> Any:
    """The same for code without an event loop; replies are text."""
    options = _options(url, timeout_s) | {"retry": Retry(NoBackoff(), 0), "decode_responses": True}
    return RedisCluster.from_url(_plain(url), **options) if is_cluster(url) else Redis.from_url(url, **options)


def _plain(url: str) -> str:
    return url.replace(_CLUSTER, ":", 1)


def _options(url: str, timeout_s: float) -> dict[str, Any]:
    options = {"protocol": 2, "socket_timeout": timeout_s, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    # Half-open TCP connections are found out; a Unix socket has no such option.
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    # A shard that is down keeps nobody from the others.
    if is_cluster(url):
        options["require_full_coverage"] = False
    return options
