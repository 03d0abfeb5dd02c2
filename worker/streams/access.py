"""Whether Redis lets this worker do its work, found out before the first job; one that is away is waited for."""

from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError, RedisClusterException

from worker.errors import StartError
from worker.streams.connections import connect, is_cluster
from worker.streams.retry import REDIS_IS_AWAY
from worker.streams.stream import StreamNames

_log = structlog.get_logger("worker")


async def check_access(url: str, queues: Sequence[StreamNames]) -> None:
    """StartError where Redis turns us away for good, or a key of the queues is no stream."""
    client = connect(url)
    try:
        await client.ping()
        if not is_cluster(url) and await _in_cluster_mode(client):
            raise StartError("Redis is a cluster: write REDIS_URL as redis+cluster:// or rediss+cluster://.")
        for names in queues:
            await _check_types(client, names)
    except AuthenticationError as error:
        raise StartError(f"Redis refuses the user or password of REDIS_URL: {error}.") from None
    except NoPermissionError as error:
        raise StartError(f"The user of REDIS_URL may not do what a worker must: {error}.") from None
    except RedisClusterException as error:
        if "Cluster mode is not enabled" in str(error):
            raise StartError("Redis is no cluster: write REDIS_URL as redis:// or rediss://.") from None
        _log.warning("redis does not answer yet", error=str(error))
    except REDIS_IS_AWAY as error:
        _log.warning("redis does not answer yet", error=str(error))
    finally:
        await client.aclose()


async def _in_cluster_mode(client: Any) -> bool:
    try:
        return bool((await client.info("cluster")).get("cluster_enabled"))
    except NoPermissionError:  # asking is a convenience, no need
        return False


async def _check_types(client: Any, names: StreamNames) -> None:
    """One request for all keys of the queue, which on a cluster lie in one slot."""
    wanted = {names.jobs: "stream", names.results: "stream", **names.companions}
    async with client.pipeline(transaction=False) as pipe:
        for key in wanted:
            pipe.type(key)
        kinds = [kind.decode() for kind in await pipe.execute()]
    for (key, needed), kind in zip(wanted.items(), kinds, strict=True):
        if kind not in (needed, "none"):
            raise StartError(f"The key {key} in Redis is a {kind}, and the worker needs a {needed}.")
