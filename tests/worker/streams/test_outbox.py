"""The outbox against real servers, old and new."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from tests.worker.redis_server import RedisServer
from worker.streams.outbox import GROUP, Outbox, OutboxEntry
from worker.streams.stream import StreamNames

STREAM, WAITING, DLQ = "jobs:callbacks", "jobs:callbacks:waiting", "jobs:callbacks:dlq"


def opened(server: RedisServer, consumer: str = "one", lease_s: float = 60) -> Outbox:
    return Outbox(server.url, StreamNames("jobs", "results", "workers", consumer), lease_s=lease_s)


@pytest.fixture
async def outbox(any_server: RedisServer) -> AsyncIterator[Outbox]:
    opening = opened(any_server)
    yield opening
    await opening.close()


@pytest.fixture
async def other(any_server: RedisServer) -> AsyncIterator[Outbox]:
    opening = opened(any_server, "two", lease_s=0.001)
    yield opening
    await opening.close()


@pytest.fixture
def redis_client(any_server: RedisServer):
    with any_server.client() as connection:
        yield connection


def written(redis_client, count: int = 1) -> list[str]:
    return [
        redis_client.xadd(STREAM, {"url": f"http://b.test/{n}", "job_id": f"j{n}", "body": f'{{"n":{n}}}'})
        for n in range(count)
    ]


def pending(redis_client) -> int:
    return redis_client.xpending(STREAM, GROUP)["pending"]


async def taken(outbox: Outbox) -> OutboxEntry:
    (entry,), _ = await outbox.take(5)
    return entry


async def test_an_outbox_that_was_never_written_is_empty_and_stays_unmade(outbox, redis_client):
    assert await outbox.take(5) == ([], None)
    assert redis_client.keys() == []


async def test_callbacks_written_before_anyone_looked_are_taken_no_more_than_asked(outbox, other, redis_client):
    first, second, third = written(redis_client, 3)
    entries, _ = await outbox.take(2)
    assert entries == [
        OutboxEntry(first, "http://b.test/0", "j0", b'{"n":0}'),
        OutboxEntry(second, "http://b.test/1", "j1", b'{"n":1}'),
    ]
    assert [entry.id for entry in (await outbox.take(2))[0]] == [third]
    assert await outbox.take(2) == ([], None)


async def test_what_was_delivered_is_gone(outbox, redis_client):
    written(redis_client)
    entry = await taken(outbox)
    assert await outbox.delivered(entry)
    assert not await outbox.delivered(entry)
    assert (redis_client.xlen(STREAM), pending(redis_client)) == (0, 0)


async def test_a_postponed_callback_comes_again_when_due_with_its_failures_counted(outbox, redis_client):
    written(redis_client)
    entry = await taken(outbox)
    assert await outbox.postpone(entry, 0.3, failures=1)
    entries, due_s = await outbox.take(5)
    assert entries == []
    assert 0 < due_s <= 0.3
    assert pending(redis_client) == 0  # it holds nobody up
    await asyncio.sleep(0.31)
    again = await taken(outbox)
    assert (again.url, again.body, again.failures) == (entry.url, entry.body, 1)
    assert await outbox.postpone(again, 0, failures=2)
    assert (await taken(outbox)).failures == 2
    assert redis_client.xlen(STREAM) == 1
    assert redis_client.exists(WAITING) == 0


async def test_only_one_of_two_postpones_or_buries(outbox, other, redis_client):
    written(redis_client)
    entry = await taken(outbox)
    await asyncio.sleep(0.01)
    theirs = await taken(other)
    assert theirs.id == entry.id  # the other's lease is short
    assert await other.postpone(theirs, 60, failures=1)
    assert not await outbox.postpone(entry, 60, failures=1)
    assert not await outbox.bury(entry, "late")
    assert redis_client.zcard(WAITING) == 1
    assert redis_client.exists(DLQ) == 0


async def test_what_one_delivered_after_another_postponed_it_does_not_come_again(outbox, other, redis_client):
    written(redis_client)
    entry = await taken(outbox)
    await asyncio.sleep(0.01)
    assert await other.postpone(await taken(other), 0, failures=1)
    assert await outbox.delivered(entry)
    assert await other.take(5) == ([], None)
    assert redis_client.exists(WAITING) == 0


async def test_a_renewed_lease_is_not_taken_over_and_a_dead_one_is(any_server, outbox, redis_client):
    written(redis_client, 2)
    held, dropped = (await outbox.take(2))[0]
    heir = opened(any_server, "two", lease_s=0.3)
    await asyncio.sleep(0.35)
    await outbox.renew([held.id])
    assert (await taken(heir)).id == dropped.id
    await heir.close()


async def test_a_buried_callback_keeps_all_and_says_why(outbox, redis_client):
    (entry_id,) = written(redis_client)
    entry = await taken(outbox)
    assert await outbox.bury(entry, "because")
    assert not await outbox.bury(entry, "twice")
    ((_, letter),) = redis_client.xrange(DLQ)
    assert letter == {
        "url": "http://b.test/0", "job_id": "j0", "body": '{"n":0}', "entry_id": entry_id, "reason": "because",
        "attempts": "1",
    }  # fmt: skip
    assert (redis_client.xlen(STREAM), pending(redis_client)) == (0, 0)


@pytest.mark.parametrize("catastrophe", ["flushall", "destroy"])
async def test_a_lost_group_is_made_again(outbox, redis_client, catastrophe):
    written(redis_client)
    await taken(outbox)
    if catastrophe == "flushall":
        redis_client.flushall()
        written(redis_client)
    else:
        redis_client.xgroup_destroy(STREAM, GROUP)
    assert (await taken(outbox)).job_id == "j0"


async def test_a_foreign_entry_is_taken_with_an_empty_url(outbox, redis_client):
    redis_client.xadd(STREAM, {b"x\xff": b"\xff", "failures": "many"})
    entry = await taken(outbox)
    assert (entry.url, entry.body, entry.failures) == ("", b"", 0)


async def test_more_due_callbacks_than_one_look_moves_are_moved_by_the_next(outbox, redis_client):
    written(redis_client, 150)
    for entry in (await outbox.take(150))[0]:
        await outbox.postpone(entry, 0, failures=1)
    entries, due_s = await outbox.take(150)
    assert (len(entries), due_s) == (100, 0)
    entries, due_s = await outbox.take(150)
    assert (len(entries), due_s) == (50, None)


async def test_a_foreign_entry_with_too_many_fields_stops_nobody(outbox, redis_client):
    redis_client.xadd(STREAM, {"url": "http://b.test/x", **{f"f{n}": "x" for n in range(5000)}})
    await outbox.postpone(await taken(outbox), 0, failures=1)
    redis_client.zadd(WAITING, {"nonsense": 0})
    again = await taken(outbox)
    assert (again.url, again.failures) == ("http://b.test/x", 1)
    redis_client.xadd(STREAM, {"url": "http://b.test/y", "failures": "9" * 5000})
    assert (await taken(outbox)).failures == 0


async def test_a_waiting_callback_that_a_new_group_delivered_again_is_not_doubled(outbox, redis_client):
    written(redis_client)
    await outbox.postpone(await taken(outbox), 0.05, failures=1)
    redis_client.xgroup_destroy(STREAM, GROUP)
    again = await taken(outbox)
    await asyncio.sleep(0.06)
    assert await outbox.take(5) == ([], None)
    assert await outbox.delivered(again)
    assert redis_client.xlen(STREAM) == 0


@pytest.mark.parametrize("ending", ["bury", "postpone"])
async def test_nothing_is_acknowledged_where_there_is_no_place_to_go(outbox, redis_client, ending):
    written(redis_client)
    entry = await taken(outbox)
    redis_client.set(f"{STREAM}:dlq" if ending == "bury" else WAITING, "somebody's text")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await (outbox.bury(entry, "r") if ending == "bury" else outbox.postpone(entry, 0, failures=1))
    assert pending(redis_client) == 1
