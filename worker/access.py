"""Whether Redis lets this worker do its work, found out before the first job; one that is away is waited for."""

from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError, RedisClusterException

from worker.connections import connect, is_cluster
from worker.errors import StartError
from worker.patience import REDIS_IS_AWAY
from worker.stream import StreamNames

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
    streams = (names.jobs, names.results, names.dead_letters, names.callbacks, names.callback_dead_letters)
    sorted_sets = (names.later, names.answered, names.callbacks_waiting)
    for wanted, keys in ((b"stream", streams), (b"zset", sorted_sets)):
        for key in keys:
            kind = await client.type(key)
            if kind not in (wanted, b"none"):
                raise StartError(
                    f"The key {key} in Redis is a {kind.decode()}, and the worker needs a {wanted.decode()}."
                )
