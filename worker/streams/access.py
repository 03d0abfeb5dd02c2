"""Whether Redis lets this worker do its work, found out before the first job; one that is away is waited for."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError, RedisClusterException

from worker.errors import StartError
from worker.streams.connections import connect, is_cluster
from worker.streams.queue_state import describe
from worker.streams.retry import REDIS_UNAVAILABLE
from worker.streams.stream import StreamNames

_PROBE = (Path(__file__).parent / "lua" / "probe.lua").read_text(encoding="utf-8")
_LAST_ID = b"18446744073709551615-18446744073709551615"
_log = structlog.get_logger("worker")


async def check_access(url: str, queues: Sequence[StreamNames]) -> None:
    """StartError where Redis turns us away for good, a key has another type, or a command would be refused."""
    client = connect(url)
    try:
        await client.ping()
        if not is_cluster(url) and await _in_cluster_mode(client):
            raise StartError("Redis is a cluster: write REDIS_URL as redis+cluster:// or rediss+cluster://.")
        for names in queues:
            await _check_types(client, names)
            await _check_rights(client, names)
            await _check_ids(client, names)
    except AuthenticationError as error:
        raise StartError(f"Redis refuses the user or password of REDIS_URL: {error}.") from None
    except NoPermissionError as error:
        raise StartError(f"The user of REDIS_URL may not do what a worker must: {error}.") from None
    except RedisClusterException as error:
        if "Cluster mode is not enabled" in str(error):
            raise StartError("Redis is not a cluster: write REDIS_URL as redis:// or rediss://.") from None
        _log.warning("waiting for redis", error=str(error))
    except REDIS_UNAVAILABLE as error:
        _log.warning("waiting for redis", error=str(error))
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


async def _check_rights(client: Any, names: StreamNames) -> None:
    """Ask for every command on every key, in a way that changes nothing."""
    streams = [names.jobs, names.results, *_of_type(names, "stream")]
    refusals = await client.register_script(_PROBE)(
        keys=[*streams, *_of_type(names, "zset")], args=[len(streams), f"probe-{secrets.token_hex(8)}"]
    )
    if refusals:
        command, key = (part.decode(errors="replace") for part in refusals[0][:2])
        more = f", and {len(refusals) - 1} more" if len(refusals) > 1 else ""
        raise StartError(
            f"The user of REDIS_URL may not run {command}{f' on {key}' if key else ''}{more}: "
            "grant the rights that docs/operations.md lists under Redis."
        )


async def _check_ids(client: Any, names: StreamNames) -> None:
    """A stream whose last id is the largest there is takes no entry any more."""
    for key in (names.jobs, names.results, *_of_type(names, "stream")):
        if (await describe(client, key)).last_id == _LAST_ID:
            raise StartError(f"The stream {key} in Redis is at its last id and takes no more entries: rename it.")


def _of_type(names: StreamNames, kind: str) -> list[str]:
    return [key for key, needed in names.companions.items() if needed == kind]
