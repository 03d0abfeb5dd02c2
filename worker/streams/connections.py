"""Connections to Redis without silent retries: a command that was sent twice must be somebody's decision."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis import ConnectionPool, Redis, Sentinel
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import Sentinel as AsyncSentinel
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry

COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
SCHEMES = (
    "redis://",
    "rediss://",
    "unix://",
    "redis+cluster://",
    "rediss+cluster://",
    "redis+sentinel://",
    "rediss+sentinel://",
)
_CLUSTER, _SENTINEL = "+cluster:", "+sentinel:"
_SENTINEL_PORT = 26379
# What a server says that is no longer, or not yet, the one to write to. A new connection may lead to another.
_WRONG_SERVER = ("READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN")
# redis-py takes that word off the message of the errors it has a class for.
_WRONG_SERVER_ERRORS = ("ReadOnlyError", "MasterDownError", "BusyLoadingError", "ClusterDownError")


def is_cluster(url: str) -> bool:
    """Whether the URL names any node of a Redis Cluster."""
    return _CLUSTER in url.partition("//")[0]


def is_sentinel(url: str) -> bool:
    """Whether the URL names sentinels, which know where the master is."""
    return _SENTINEL in url.partition("//")[0]


def is_wrong_server(error: RedisError) -> bool:
    """Whether the error says that this server is not the one to write to, at least for now."""
    return any(word in str(error) for word in _WRONG_SERVER) or type(error).__name__ in _WRONG_SERVER_ERRORS


class _Client(AsyncRedis):
    """Drops its connections when the server says that it is not the one to write to: after a failover another is."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except RedisError as error:
            if is_wrong_server(error):
                await self.connection_pool.disconnect(inuse_connections=False)
            raise


def is_usable(url: str) -> bool:
    """Whether a connection can be made of the URL, its port and its options; nothing is connected to."""
    if "#" in url:
        return False  # most likely of a password, whose rest would be taken for host and port
    try:
        if is_sentinel(url):
            _sentinels(url)
            return True
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
    if is_sentinel(url):
        places, master, more = _sentinels(url)
        own = {name: value for name, value in options.items() if name != "socket_keepalive"}
        finder = AsyncSentinel(places, sentinel_kwargs=own, **options, **more)  # type: ignore[no-untyped-call]
        return finder.master_for(master, redis_class=_Client)
    return _Client.from_url(url, **options)


def connect_sync(url: str, *, timeout_s: float = COMMAND_TIMEOUT_S) -> Any:
    """The same for code without an event loop; replies are text."""
    options = _options(url, timeout_s) | {"retry": Retry(NoBackoff(), 0), "decode_responses": True}
    if is_sentinel(url):
        places, master, more = _sentinels(url)
        own = {"socket_timeout": timeout_s}
        finder = Sentinel(places, sentinel_kwargs=own, **options, **more)  # type: ignore[no-untyped-call]
        return finder.master_for(master)  # type: ignore[no-untyped-call]
    return RedisCluster.from_url(_plain(url), **options) if is_cluster(url) else Redis.from_url(url, **options)


def _plain(url: str) -> str:
    return url.replace(_CLUSTER, ":", 1)


def _sentinels(url: str) -> tuple[list[tuple[str, int]], str, dict[str, Any]]:
    """Where the sentinels are, the master's name, and options for the connection to it; ValueError where it is no URL.

    redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT].../MASTER[/DATABASE][?ssl_ca_certs=FILE]
    """
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    master, _, database = parts.path.strip("/").partition("/")
    if not master or not hosts:
        raise ValueError("a sentinel URL names sentinels and the master: redis+sentinel://HOST:PORT,HOST:PORT/MASTER")
    more: dict[str, Any] = dict(parse_qsl(parts.query))
    more["db"] = int(database or 0)
    if login:
        user, _, password = login.partition(":")
        more |= {"username": unquote(user) or None, "password": unquote(password)}
    if parts.scheme.startswith("rediss"):
        more["ssl"] = True
    return [_place(host) for host in hosts.split(",")], master, more


def _place(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a sentinel has no host")
    return parts.hostname, parts.port or _SENTINEL_PORT


def _options(url: str, timeout_s: float) -> dict[str, Any]:
    options = {"protocol": 2, "socket_timeout": timeout_s, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    # Half-open TCP connections are found out; a Unix socket has no such option.
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    # A shard that is down keeps nobody from the others.
    if is_cluster(url):
        options["require_full_coverage"] = False
    return options
