"""The stream layer against real servers, old and new."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from tests.worker.redis_server import RedisServer
from worker.streams.messages import Callback
from worker.streams.stream import Finished, JobStream, StreamEntry, StreamNames, group_is_missing

JOBS, RESULTS, DLQ, CALLBACKS = "jobs", "results", "jobs:dlq", "jobs:callbacks"


def opened(server: RedisServer, consumer: str = "one", *, maxlen: int = 0, lease_s: float = 60) -> JobStream:
    return JobStream(server.url, StreamNames(JOBS, RESULTS, "workers", consumer, maxlen), block_ms=50, lease_s=lease_s)


@pytest.fixture
async def stream(any_server: RedisServer) -> AsyncIterator[JobStream]:
    opening = opened(any_server)
    await opening.ensure_group()
    yield opening
    await opening.close()


@pytest.fixture
async def other(any_server: RedisServer) -> AsyncIterator[JobStream]:
    opening = opened(any_server, "two", lease_s=0.001)
    yield opening
    await opening.close()


@pytest.fixture
def redis_client(any_server: RedisServer):
    with any_server.client() as connection:
        yield connection


async def test_jobs_queued_before_the_group_existed_are_read(any_server, redis_client):
    redis_client.xadd(JOBS, {"data": "early"})
    stream = opened(any_server)
    await stream.ensure_group()
    await stream.ensure_group()
    assert [entry.fields for entry in await stream.read_new(5, 50)] == [{b"data": b"early"}]
    await stream.close()


async def test_reading_takes_no_more_than_asked_and_returns_empty_after_the_block(stream, redis_client):
    for n in range(3):
        redis_client.xadd(JOBS, {"data": n})
    assert len(await stream.read_new(2, 50)) == 2
    assert len(await stream.read_new(2, 50)) == 1
    assert await stream.read_new(2, 50) == []


async def test_finishing_writes_one_result_and_removes_the_job(stream, redis_client):
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(1, 50)
    assert await stream.finish([Finished(entry.id, '{"a":1}')]) == 1
    assert [fields for _, fields in redis_client.xrange(RESULTS)] == [{"data": '{"a":1}'}]
    assert redis_client.xlen(JOBS) == 0
    assert redis_client.xpending(JOBS, "workers")["pending"] == 0
    assert await stream.is_empty()


async def test_finishing_twice_writes_once(stream, other, redis_client):
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(1, 50)
    assert await stream.finish([Finished(entry.id, "first")]) == 1
    assert await stream.finish([Finished(entry.id, "again")]) == 0
    assert await other.finish([Finished(entry.id, "other")]) == 0
    assert redis_client.xlen(RESULTS) == 1


async def test_a_batch_with_one_finished_entry_writes_the_others(stream, redis_client):
    for n in range(3):
        redis_client.xadd(JOBS, {"data": n})
    entries = await stream.read_new(3, 50)
    await stream.finish([Finished(entries[1].id, "early")])
    assert await stream.finish([Finished(entry.id, entry.id) for entry in entries]) == 2
    assert redis_client.xlen(RESULTS) == 3


async def test_nothing_is_acknowledged_where_the_result_key_is_no_stream(stream, redis_client):
    redis_client.set(RESULTS, "occupied")
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(1, 50)
    with pytest.raises(ResponseError, match="not a stream"):
        await stream.finish([Finished(entry.id, "{}")])
    assert redis_client.xpending(JOBS, "workers")["pending"] == 1


async def test_a_callback_is_written_with_its_result_once_and_only_where_there_is_one(stream, other, redis_client):
    for n in range(2):
        redis_client.xadd(JOBS, {"data": n})
    first, second = await stream.read_new(2, 50)
    called_back = Finished(first.id, "{}", Callback("http://b.test/", "j1", '{"jobId":"j1"}'))
    assert await stream.finish([called_back, Finished(second.id, "{}")]) == 2
    assert await stream.finish([called_back]) == 0
    assert await other.finish([called_back]) == 0
    ((_, written),) = redis_client.xrange(CALLBACKS)
    assert written == {"url": "http://b.test/", "job_id": "j1", "body": '{"jobId":"j1"}'}
    assert stream.callbacks_written.is_set()
    assert not other.callbacks_written.is_set()


async def test_nothing_is_acknowledged_where_the_callback_key_is_no_stream(stream, redis_client):
    redis_client.set(CALLBACKS, "occupied")
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(1, 50)
    with pytest.raises(ResponseError, match="not a stream"):
        await stream.finish([Finished(entry.id, "{}", Callback("http://b.test/", "j", "{}"))])
    assert redis_client.xpending(JOBS, "workers")["pending"] == 1
    assert redis_client.xlen(RESULTS) == 0


async def test_finishing_survives_a_flushed_script_cache(stream, redis_client):
    for n in range(2):
        redis_client.xadd(JOBS, {"data": n})
    first, second = await stream.read_new(2, 50)
    await stream.finish([Finished(first.id, "{}")])
    redis_client.script_flush()
    assert await stream.finish([Finished(second.id, "{}")]) == 1


async def test_results_are_trimmed_only_when_asked(any_server, redis_client):
    stream = opened(any_server, maxlen=100)
    await stream.ensure_group()
    for n in range(600):
        redis_client.xadd(JOBS, {"data": n})
    for entries in (await stream.read_new(300, 50), await stream.read_new(300, 50)):
        await stream.finish([Finished(entry.id, "{}") for entry in entries])
    assert 100 <= redis_client.xlen(RESULTS) < 600
    await stream.close()


async def test_an_expired_lease_is_reclaimed_with_a_higher_count(stream, other, redis_client):
    job = redis_client.xadd(JOBS, {"data": "x"})
    await stream.read_new(1, 50)
    redis_client.xclaim(JOBS, "workers", "one", 0, [job], idle=1000, justid=True)
    assert await other.reclaim(10) == ([StreamEntry(job, {b"data": b"x"}, 2)], True)


async def test_reclaiming_walks_the_whole_list_by_its_cursor(stream, other, redis_client):
    ids = [redis_client.xadd(JOBS, {"data": n}) for n in range(25)]
    await stream.read_new(25, 50)
    redis_client.xclaim(JOBS, "workers", "one", 0, ids, idle=1000, justid=True)
    seen, complete = [], False
    while not complete:
        entries, complete = await other.reclaim(10)
        assert len(entries) <= 10
        seen += [entry.id for entry in entries]
    assert seen == ids


async def test_a_renewed_lease_is_not_reclaimed_and_its_count_stays(any_server, stream, redis_client):
    job = redis_client.xadd(JOBS, {"data": "x"})
    await stream.read_new(1, 50)
    redis_client.xclaim(JOBS, "workers", "one", 0, [job], idle=100_000, justid=True)
    await stream.renew([job])
    other = opened(any_server, "two", lease_s=60)
    assert await other.reclaim(10) == ([], True)
    assert redis_client.xpending_range(JOBS, "workers", "-", "+", 1)[0]["times_delivered"] == 1
    await other.close()


async def test_own_pending_entries_are_found_again_except_those_in_work(stream, redis_client):
    for n in range(3):
        redis_client.xadd(JOBS, {"data": n})
    first, second, third = await stream.read_new(3, 50)
    found = await stream.own_pending(10, besides={second.id})
    assert [(entry.id, entry.deliveries) for entry in found] == [(first.id, 2), (third.id, 2)]
    counts = redis_client.xpending_range(JOBS, "workers", second.id, second.id, 1)
    assert counts[0]["times_delivered"] == 1


async def test_pending_entries_whose_message_is_gone_are_cleared_away(stream, other, redis_client):
    ids = [redis_client.xadd(JOBS, {"data": n}) for n in range(2)]
    await stream.read_new(2, 50)
    redis_client.xdel(JOBS, ids[0])
    redis_client.xclaim(JOBS, "workers", "one", 0, ids, idle=1000, justid=True)
    entries, _ = await other.reclaim(10)
    assert [entry.id for entry in entries] == [ids[1]]
    assert await other.own_pending(10, besides={ids[1]}) == []
    assert redis_client.xpending(JOBS, "workers")["pending"] == 1


async def test_a_dead_letter_keeps_the_message_and_says_why(stream, redis_client):
    redis_client.xadd(JOBS, {"data": "not json", "more": "kept"})
    (entry,) = await stream.read_new(1, 50)
    assert await stream.bury(entry, "because")
    ((_, letter),) = redis_client.xrange(DLQ)
    assert letter == {
        "data": "not json", "more": "kept", "entry_id": entry.id, "reason": "because", "deliveries": "1",
    }  # fmt: skip
    assert redis_client.xlen(JOBS) == 0
    assert redis_client.xpending(JOBS, "workers")["pending"] == 0


async def test_burying_twice_or_after_finishing_writes_nothing(stream, redis_client):
    for n in range(2):
        redis_client.xadd(JOBS, {"data": n})
    first, second = await stream.read_new(2, 50)
    await stream.finish([Finished(first.id, "{}")])
    assert not await stream.bury(first, "late")
    assert await stream.bury(second, "once")
    assert not await stream.bury(second, "twice")
    assert redis_client.xlen(DLQ) == 1


async def test_a_message_of_ten_thousand_fields_can_still_be_buried(stream, redis_client):
    redis_client.xadd(JOBS, {f"field{n}": "x" for n in range(10_000)})
    (entry,) = await stream.read_new(1, 50)
    assert await stream.bury(entry, "absurd")
    assert redis_client.xrange(DLQ)[0][1]["reason"] == "absurd"


async def test_what_is_handed_back_can_be_taken_at_once_and_did_not_count(any_server, stream, redis_client):
    ids = [redis_client.xadd(JOBS, {"data": n}) for n in range(3)]
    await stream.read_new(3, 50)
    assert await stream.hand_back() == 3
    other = opened(any_server, "two", lease_s=60)
    entries, _ = await other.reclaim(10)
    assert [(entry.id, entry.deliveries) for entry in entries] == [(job, 1) for job in ids]
    await other.close()


@pytest.mark.parametrize("catastrophe", ["flushall", "destroy"])
async def test_a_vanished_group_is_told_apart_and_can_be_made_again(stream, redis_client, catastrophe):
    redis_client.xadd(JOBS, {"data": "lost or kept"})
    if catastrophe == "flushall":
        redis_client.flushall()
    else:
        redis_client.xgroup_destroy(JOBS, "workers")
    with pytest.raises(ResponseError) as caught:
        await stream.read_new(1, 50)
    assert group_is_missing(caught.value)
    await stream.ensure_group()
    redis_client.xadd(JOBS, {"data": "new"})
    assert (await stream.read_new(5, 50))[-1].fields == {b"data": b"new"}


async def test_a_postponed_job_comes_back_once_when_its_time_has_come(stream, redis_client):
    redis_client.xadd(JOBS, {"data": "x", "more": b"\xff\x00"})
    (entry,) = await stream.read_new(5, 50)
    assert await stream.postpone(entry, 0.05, 1)
    assert not await stream.postpone(entry, 0.05, 1)
    assert redis_client.xpending(JOBS, "workers")["pending"] == 0
    assert not await stream.is_empty()
    moved, due_s = 0, 0.0
    while not moved:
        moved, due_s = await stream.promote()
    assert (moved, due_s) == (1, None)
    (again,) = await stream.read_new(5, 50)
    assert again.fields[b"data"] == b"x"
    assert again.fields[b"more"] == b"\xff\x00"
    assert (entry.retries, again.retries) == (0, 1)
    assert redis_client.xlen(JOBS) == 1
    await stream.postpone(again, 100, 2)
    moved, due_s = await stream.promote()
    assert moved == 0
    assert 90 < due_s <= 100


async def test_a_job_that_somebody_else_finished_is_not_postponed(stream, other, redis_client):
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(5, 50)
    await stream.finish([Finished(entry.id, "done")])
    assert not await stream.postpone(entry, 0, 1)
    assert await stream.promote() == (0, None)


async def test_a_postponed_job_that_a_new_group_delivered_again_is_not_doubled(stream, redis_client):
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(5, 50)
    await stream.postpone(entry, 0, 1)
    redis_client.xgroup_destroy(JOBS, "workers")
    await stream.ensure_group()
    (again,) = await stream.read_new(5, 50)
    assert (await stream.promote())[0] == 0
    assert await stream.finish([Finished(again.id, "done")]) == 1
    assert await stream.is_empty()


async def test_nothing_is_acknowledged_where_there_is_no_place_to_wait(stream, redis_client):
    redis_client.set(f"{JOBS}:later", "somebody's text")
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(5, 50)
    with pytest.raises(ResponseError, match="not a sorted set"):
        await stream.postpone(entry, 0, 1)
    assert redis_client.xpending(JOBS, "workers")["pending"] == 1


async def test_the_number_of_retries_is_read_from_numbers_only(stream, redis_client):
    for value in ("3", "-1", "many", "9" * 30, ""):
        redis_client.xadd(JOBS, {"data": "x", "img_ml_retries": value})
    assert [entry.retries for entry in await stream.read_new(9, 50)] == [3, 0, 0, 0, 0]


async def test_a_callback_nobody_has_taken_keeps_the_queue_from_being_empty(stream, redis_client):
    assert await stream.is_empty()
    redis_client.xadd(stream.names.callbacks, {"url": "u"})
    assert not await stream.is_empty()
    # One that waits for another attempt does not: its receiver may be away for an hour.
    redis_client.zadd(stream.names.callbacks_waiting, {"1-1 1": 1})
    assert await stream.is_empty()


async def answered_once(stream: JobStream, redis_client, job_id: str = "a", result: str = "{}") -> int:
    redis_client.xadd(JOBS, {"data": job_id})
    (entry,) = await stream.read_new(1, 50)
    return await stream.finish([Finished(entry.id, result, once=job_id)])


@pytest.fixture
async def once(any_server: RedisServer) -> AsyncIterator[JobStream]:
    names = StreamNames(JOBS, RESULTS, "workers", "one")
    opening = JobStream(any_server.url, names, block_ms=50, lease_s=60, once_s=2)
    await opening.ensure_group()
    yield opening
    await opening.close()


async def test_a_job_id_is_answered_once_where_that_is_wanted(once, redis_client):
    assert not await once.was_answered("a")
    assert [await answered_once(once, redis_client) for _ in range(3)] == [1, 0, 0]
    assert await once.was_answered("a")
    assert await answered_once(once, redis_client, "b") == 1
    assert (redis_client.xlen(RESULTS), redis_client.xlen(JOBS)) == (2, 0)


async def test_after_a_while_a_job_id_is_answered_again_and_old_ones_are_forgotten(once, redis_client):
    await answered_once(once, redis_client)
    await asyncio.sleep(2.1)
    assert not await once.was_answered("a")
    assert await answered_once(once, redis_client, "b") == 1
    assert redis_client.zrange(f"{JOBS}:answered", 0, -1) == ["b"]
    assert await answered_once(once, redis_client) == 1


async def test_two_repeats_in_one_batch_give_one_result_and_one_callback(once, redis_client):
    for _ in range(2):
        redis_client.xadd(JOBS, {"data": "a"})
    entries = await once.read_new(2, 50)
    called_back = Callback("http://b.test/", "a", "{}")
    assert await once.finish([Finished(entry.id, "{}", called_back, once="a") for entry in entries]) == 1
    assert (redis_client.xlen(RESULTS), redis_client.xlen(CALLBACKS), redis_client.xlen(JOBS)) == (1, 1, 0)


async def test_a_passing_error_neither_follows_an_answer_nor_stands_for_one(once, redis_client):
    for _ in range(3):
        redis_client.xadd(JOBS, {"data": "a"})
    error, answer, late = await once.read_new(3, 50)
    assert await once.finish([Finished(error.id, "passing", once="a", final=False)]) == 1
    assert await once.finish([Finished(answer.id, "answer", once="a")]) == 1
    assert await once.finish([Finished(late.id, "passing", once="a", final=False)]) == 0
    assert [fields["data"] for _, fields in redis_client.xrange(RESULTS)] == ["passing", "answer"]


async def test_without_the_window_repeats_are_answered_and_nothing_is_noted(stream, redis_client):
    assert [await answered_once(stream, redis_client) for _ in range(2)] == [1, 1]
    assert not await stream.was_answered("a")
    assert not redis_client.exists(f"{JOBS}:answered")


async def test_an_entry_may_go_without_a_result(stream, redis_client):
    assert await answered_once(stream, redis_client, result="") == 0
    assert (redis_client.xlen(RESULTS), redis_client.xlen(JOBS)) == (0, 0)


@pytest.fixture
def restricted(any_server, redis_client):
    """Makes a user with all rights but those in a rule; its URL. Rules end with the test."""

    def make(*rules: str) -> str:
        redis_client.execute_command("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+@all", *rules)
        return any_server.url.replace("redis://", "redis://poor:pw@")

    yield make
    redis_client.execute_command("ACL", "DELUSER", "poor")


def opened_at(url: str) -> JobStream:
    return JobStream(url, StreamNames(JOBS, RESULTS, "workers", "one"), block_ms=50, lease_s=60, once_s=60)


@pytest.mark.parametrize("lacking", ["-xadd", "-xack"])
async def test_a_user_without_rights_loses_no_job_and_doubles_no_result(stream, redis_client, restricted, lacking):
    """The gate fails whole: what it had appended is taken back, and the job stays pending."""
    poor = opened_at(restricted(lacking))
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(1, 50)
    finished = Finished(entry.id, "{}", Callback("http://b.test/", "j", "{}"), once="j")
    with pytest.raises(ResponseError):
        await poor.finish([finished])
    with pytest.raises(ResponseError):
        await poor.bury(entry, "because")
    assert redis_client.xpending(JOBS, "workers")["pending"] == 1
    assert (redis_client.xlen(RESULTS), redis_client.xlen(CALLBACKS), redis_client.xlen(DLQ)) == (0, 0, 0)
    assert not redis_client.exists(f"{JOBS}:answered")
    restricted("+@all")
    assert await poor.finish([finished]) == 1
    await poor.close()


@pytest.mark.parametrize("full", [RESULTS, CALLBACKS, DLQ])
async def test_a_stream_at_its_last_id_loses_no_job(stream, redis_client, full):
    redis_client.xadd(full, {"a": "b"}, id="18446744073709551615-18446744073709551615")
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(1, 50)
    finished = Finished(entry.id, "{}", Callback("http://b.test/", "j", "{}"))
    ending = stream.bury(entry, "because") if full == DLQ else stream.finish([finished])
    with pytest.raises(ResponseError):
        await ending
    assert redis_client.xpending(JOBS, "workers")["pending"] == 1
    assert redis_client.xlen(JOBS) == 1
    assert redis_client.xlen(RESULTS) == (1 if full == RESULTS else 0)


async def test_a_message_too_large_to_be_carried_is_buried_by_its_id(stream, other, redis_client):
    huge = "x" * 5_000_000
    for _ in range(3):
        redis_client.xadd(JOBS, {"data": huge})
    redis_client.xadd(JOBS, {"data": "small"})
    entries = []
    while len(entries) < 4:
        entries += await stream.read_new(10, 50)
    assert [(entry.is_too_large, bool(entry.fields)) for entry in entries] == [(True, False)] * 3 + [(False, True)]
    assert await stream.bury(entries[0], "too large")
    # Another worker that takes them over looks at their sizes, too.
    ids = [entry.id for entry in entries[1:]]
    redis_client.xclaim(JOBS, "workers", "one", 0, ids, idle=1000, justid=True)
    taken = []
    while len(taken) < 3:
        taken += (await other.reclaim(10))[0]
    assert [(entry.id, entry.is_too_large, bool(entry.fields)) for entry in taken] == [
        (ids[0], True, False), (ids[1], True, False), (ids[2], False, True),
    ]  # fmt: skip
    assert await other.bury(taken[0], "too large")
    letters = [fields for _, fields in redis_client.xrange(DLQ)]
    assert [set(letter) for letter in letters] == [{"entry_id", "reason", "deliveries"}] * 2


async def test_one_read_carries_a_bounded_number_of_bytes(stream, redis_client):
    for n in range(40):
        redis_client.xadd(JOBS, {"data": str(n % 10) * 250_000})
    reads = []
    while sum(map(len, reads)) < 40:
        reads.append(await stream.read_new(40, 50))
    assert max(sum(entry.size for entry in read) for read in reads) < 5_000_000
    assert all(len(entry.fields[b"data"]) == 250_000 for read in reads for entry in read)


async def test_an_entry_delivered_too_often_comes_without_its_fields(any_server, redis_client):
    first = JobStream(any_server.url, StreamNames(JOBS, RESULTS, "workers", "one"), block_ms=50, lease_s=0.001)
    await first.ensure_group()
    job = redis_client.xadd(JOBS, {"data": "x" * 1000})
    await first.read_new(1, 50)
    other = JobStream(
        any_server.url, StreamNames(JOBS, RESULTS, "workers", "two"), block_ms=50, lease_s=0.001, max_deliveries=1
    )
    redis_client.xclaim(JOBS, "workers", "one", 0, [job], idle=1000, justid=True)
    assert await other.reclaim(10) == ([StreamEntry(job, {}, 2)], True)
    await first.close()
    await other.close()


async def test_entries_that_were_in_work_at_two_deaths_are_left_for_a_trial_and_then_taken_singly(
    stream, other, redis_client
):
    ids = [redis_client.xadd(JOBS, {"data": n}) for n in range(4)]
    await stream.read_new(4, 50)
    for suspect in ids[:3]:
        redis_client.xclaim(JOBS, "workers", "one", 0, [suspect], idle=1000, justid=True, retrycount=2)
    redis_client.xclaim(JOBS, "workers", "one", 0, [ids[3]], idle=1000, justid=True)
    assert await other.reclaim(10) == ([StreamEntry(ids[3], {b"data": b"3"}, 2)], True)
    assert other.suspects_left
    rows = redis_client.xpending_range(JOBS, "workers", "-", "+", 10)
    assert [row["times_delivered"] for row in rows] == [2, 2, 2, 2], "what is not taken is not counted"
    assert await other.reclaim(10, alone=1) == ([StreamEntry(ids[0], {b"data": b"0"}, 3)], True)


@pytest.mark.parametrize("holds", [False, True])
async def test_a_consumer_that_leaves_is_removed_only_where_it_holds_nothing(stream, redis_client, holds):
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(1, 50)
    if not holds:
        await stream.finish([Finished(entry.id, "{}")])
    assert await stream.leave() is not holds
    assert [row["name"] for row in redis_client.xinfo_consumers(JOBS, "workers")] == (["one"] if holds else [])


async def test_a_clock_that_was_set_back_does_not_hold_a_postponed_job(stream, redis_client):
    redis_client.xadd(JOBS, {"data": "x"})
    (entry,) = await stream.read_new(5, 50)
    await stream.postpone(entry, 0.2, 1)
    ((member, due),) = redis_client.zrange(f"{JOBS}:later", 0, -1, withscores=True)
    redis_client.zadd(f"{JOBS}:later", {member: due + 86_400_000})  # as it looks from a day earlier
    moved, due_s = await stream.promote()
    assert moved == 0
    assert due_s <= 0.2
    await asyncio.sleep(0.25)
    assert await stream.promote() == (1, None)
