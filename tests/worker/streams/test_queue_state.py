"""How a queue stands, asked of real servers, old and new."""

import pytest
from redis.exceptions import RedisError

from tests.worker.processes import DLQ, JOBS, RESULTS, push
from worker.streams.connections import connect
from worker.streams.queue_state import QueueWatch, read_queue
from worker.streams.stream import JobStream, StreamNames

NAMES = StreamNames(JOBS, RESULTS, "workers", "")


@pytest.fixture
def redis_client(any_server):
    with any_server.client() as connection:
        yield connection


@pytest.fixture
async def state(any_server):
    client = connect(any_server.url)

    async def read():
        return await read_queue(client, NAMES)

    yield read
    await client.aclose()


async def test_a_queue_nobody_has_used_is_empty(state):
    found = await state()
    assert (found.length, found.lag, found.pending, found.dead_letters, found.results) == (0, 0, 0, 0, 0)
    assert (found.consumers, found.oldest_age_s, found.group_exists) == ((), None, False)


async def test_jobs_before_the_first_worker_are_all_lag(state, redis_client):
    push(redis_client, "a")
    push(redis_client, "b")
    found = await state()
    assert (found.length, found.lag, found.pending, found.group_exists) == (2, 2, 0, False)
    assert 0 <= found.oldest_age_s < 60


async def test_lag_and_pending_are_told_apart_and_each_consumer_is_seen(state, redis_client):
    for n in range(10):
        push(redis_client, f"job {n}")
    redis_client.xgroup_create(JOBS, "workers", "0")
    assert (await state()).lag == 10
    ((_, delivered),) = redis_client.xreadgroup("workers", "one", {JOBS: ">"}, count=3)
    redis_client.xreadgroup("workers", "two", {JOBS: ">"}, count=2)
    done = delivered[1][0]  # in the middle: a hole is left
    redis_client.xack(JOBS, "workers", done)
    redis_client.xdel(JOBS, done)
    redis_client.xadd(RESULTS, {"data": "{}"})
    redis_client.xadd(DLQ, {"data": "{}"})
    found = await state()
    assert (found.length, found.lag, found.pending) == (9, 5, 4)
    assert [(one.name, one.pending) for one in found.consumers] == [("one", 2), ("two", 2)]
    assert all(0 <= one.idle_s < 60 for one in found.consumers)
    assert (found.dead_letters, found.results, found.group_exists) == (1, 1, True)


async def test_when_all_is_delivered_there_is_no_lag(state, redis_client):
    push(redis_client, "a")
    redis_client.xgroup_create(JOBS, "workers", "0")
    redis_client.xreadgroup("workers", "one", {JOBS: ">"})
    assert ((await state()).lag, (await state()).pending) == (0, 1)


async def test_an_id_that_is_no_time_gives_no_age(state, redis_client):
    redis_client.xadd(JOBS, {"data": "{}"}, id="5-1")
    assert (await state()).oldest_age_s is None


async def test_a_key_of_another_kind_is_an_error(state, redis_client):
    redis_client.set(JOBS, "text")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        await state()


def times_asked(client) -> int:
    return sum(row["calls"] for name, row in client.info("commandstats").items() if name.startswith("cmdstat_xinfo"))


async def test_asking_often_asks_redis_once(redis_server, client):
    watch = QueueWatch(redis_server.url, NAMES, fresh_s=60)
    assert (await watch.refresh()).length == 0
    before = times_asked(client)
    push(client, "a")
    for _ in range(20):
        assert (await watch.refresh()).length == 0
    assert times_asked(client) == before > 0
    await watch.close()


async def test_a_redis_that_is_away_gives_no_state():
    watch = QueueWatch("redis://127.0.0.1:1/0", NAMES)
    assert await watch.refresh() is None
    await watch.close()


async def test_jobs_that_wait_for_another_try_are_no_lag(state, any_server, redis_client):
    stream = JobStream(any_server.url, StreamNames(JOBS, RESULTS, "workers", "me"), block_ms=50, lease_s=60)
    push(redis_client, "a")
    push(redis_client, "b")
    await stream.ensure_group()
    first, _ = await stream.read_new(5, 50)
    await stream.postpone(first, 60, 1)
    redis_client.xadd(NAMES.callbacks, {"url": "u"})
    redis_client.xadd(NAMES.callback_dead_letters, {"url": "u"})
    found = await state()
    assert (found.length, found.lag, found.pending, found.postponed) == (2, 0, 1, 1)
    assert (found.callbacks, found.callback_dead_letters) == (1, 1)
    await stream.close()
