"""Maps in Redis: kept for the last jobs that asked, and not for long."""

from collections.abc import AsyncIterator

import pytest
import redis

from tests.worker.redis_server import RedisServer
from worker.streams import maps as module
from worker.streams.connections import connect
from worker.streams.maps import KEEP_S, MapStore


@pytest.fixture
async def store(client: "redis.Redis", redis_server: RedisServer) -> AsyncIterator[MapStore]:
    made = MapStore(connect(redis_server.url), "jobs")
    yield made
    await made.close()


async def test_maps_come_back_as_they_were_kept_and_expire(store: MapStore, client: "redis.Redis") -> None:
    await store.keep("j1", {"ela": b"\x89PNG one", "crop_network": b"\x00"})
    assert await store.read("j1") == {"ela": b"\x89PNG one", "crop_network": b"\x00"}
    assert 0 < client.ttl("jobs:maps:j1") <= KEEP_S
    assert await store.read("j2") == {}


async def test_beyond_the_most_jobs_the_oldest_go(
    store: MapStore, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_JOBS", 3)
    for number in range(5):
        await store.keep(f"j{number}", {"ela": b"x"})
    assert [bool(await store.read(f"j{number}")) for number in range(5)] == [False, False, True, True, True]
    assert client.zcard("jobs:maps") == 3
