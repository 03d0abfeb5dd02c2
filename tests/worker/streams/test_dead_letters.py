"""Dead letters on real servers: seen, put back without loss or double, dropped."""

import json

import pytest
from redis.exceptions import ResponseError

from tests.worker.processes import DLQ, JOBS, RESULTS, push
from worker.streams.connections import connect
from worker.streams.dead_letters import DeadLetters
from worker.streams.stream import JobStream, StreamNames

NAMES = StreamNames(JOBS, RESULTS, "workers", "one")


@pytest.fixture
def redis_client(any_server):
    with any_server.client() as connection:
        yield connection


@pytest.fixture
async def stream(any_server):
    stream = JobStream(any_server.url, NAMES, block_ms=50, lease_s=60)
    await stream.ensure_group()
    yield stream
    await stream.close()


@pytest.fixture
async def letters(any_server):
    client = connect(any_server.url)
    yield DeadLetters(client, NAMES)
    await client.aclose()


async def bury_all(stream: JobStream, reason: str = "It was no good.") -> list[str]:
    for entry in await stream.read_new(1000, 50):
        await stream.bury(entry, reason)
    return [letter_id for letter_id, _ in await stream._commands.xrange(DLQ)]


async def test_a_letter_tells_its_job_its_reason_its_deliveries_and_its_age(stream, letters, redis_client):
    push(redis_client, "first")
    redis_client.xadd(JOBS, {"data": "nonsense"})
    redis_client.xadd(JOBS, {"jobId": "plain"})
    await bury_all(stream)
    found = await letters.first(10)
    assert [letter.job_id for letter in found] == ["first", "", "plain"]
    assert {(letter.reason, letter.deliveries) for letter in found} == {("It was no good.", 1)}
    assert all(0 <= letter.age_s < 60 for letter in found)
    assert [letter.id for letter in await letters.first(2)] == [letter.id for letter in found[:2]]
    assert await letters.count() == 3


async def test_a_retried_letter_is_a_job_again_exactly_as_it_came(stream, letters, redis_client):
    # A job may have fields of the names that a letter adds.
    original = {"data": json.dumps({"jobId": "a"}), "reason": "mine", "deliveries": "7", "entry_id": "x"}
    redis_client.xadd(JOBS, original)
    (letter_id,) = [one.decode() for one in await bury_all(stream)]
    assert await letters.retry([letter_id]) == {letter_id: "retried"}
    assert [fields for _, fields in redis_client.xrange(JOBS)] == [original]
    assert redis_client.xlen(DLQ) == 0
    (entry,) = await stream.read_new(5, 50)
    assert entry.deliveries == 1


async def test_retrying_again_puts_nothing_back_twice(stream, letters, redis_client):
    push(redis_client, "a")
    (letter_id,) = [one.decode() for one in await bury_all(stream)]
    assert await letters.retry([letter_id, letter_id]) == {letter_id: "retried"}
    assert await letters.retry([letter_id]) == {letter_id: "unknown"}
    assert redis_client.xlen(JOBS) == 1


async def test_more_letters_than_fit_one_script_are_all_put_back(stream, letters, redis_client):
    for n in range(120):
        push(redis_client, f"job {n}")
    await bury_all(stream)
    ids = await letters.first_ids()
    assert len(ids) == len(await letters.first(1000)) == 120
    assert await letters.first_ids(70) == ids[:70]
    assert set((await letters.retry(ids)).values()) == {"retried"}
    assert [json.loads(fields["data"])["jobId"] for _, fields in redis_client.xrange(JOBS)] == [
        f"job {n}" for n in range(120)
    ]


@pytest.mark.parametrize("wrong", ["1-1", "-", "+", "5", "nonsense", "99999999999999999999-0", "", "1-1 "])
@pytest.mark.parametrize("what", ["retry", "drop"])
async def test_what_names_no_letter_is_unknown_and_the_others_are_served(stream, letters, redis_client, wrong, what):
    push(redis_client, "a")
    (letter_id,) = [one.decode() for one in await bury_all(stream)]
    fates = await getattr(letters, what)([wrong, letter_id])
    assert fates == {wrong: "unknown", letter_id: "retried" if what == "retry" else "dropped"}


async def test_an_id_without_its_number_is_not_taken_for_a_letter(letters, redis_client):
    redis_client.xadd(DLQ, {"data": "{}"}, id="5-3")
    assert await letters.retry(["5"]) == {"5": "unknown"}
    assert (redis_client.xlen(DLQ), redis_client.exists(JOBS)) == (1, 0)


async def test_a_letter_whose_job_was_gone_cannot_be_retried_and_stays(stream, letters, redis_client):
    redis_client.xdel(JOBS, push(redis_client, "a"))
    redis_client.xadd(DLQ, {"entry_id": "1-1", "reason": "gone", "deliveries": "6"})
    (letter_id,) = await letters.first_ids()
    assert await letters.retry([letter_id]) == {letter_id: "empty"}
    assert (redis_client.xlen(DLQ), redis_client.xlen(JOBS)) == (1, 0)
    assert await letters.drop([letter_id]) == {letter_id: "dropped"}


async def test_a_letter_of_somebody_else_is_put_back_whole(letters, redis_client):
    redis_client.xadd(DLQ, {"data": '{"jobId":"old"}', "error": "timeout"})
    (letter,) = await letters.first(1)
    assert (letter.job_id, letter.reason, letter.deliveries) == ("old", "", None)
    await letters.retry([letter.id])
    assert redis_client.xrange(JOBS)[0][1] == {"data": '{"jobId":"old"}', "error": "timeout"}


async def test_a_job_stream_of_another_kind_costs_no_letter(letters, redis_client):
    redis_client.xadd(DLQ, {"data": "{}"})
    redis_client.set(JOBS, "text")
    with pytest.raises(ResponseError, match="not a stream"):
        await letters.retry(await letters.first_ids())
    assert redis_client.xlen(DLQ) == 1


async def test_a_redis_without_memory_costs_no_letter(letters, redis_client):
    redis_client.xadd(DLQ, {"data": "{}"})
    ids = await letters.first_ids()
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match=r"OOM|maxmemory"):
            await letters.retry(ids)
    finally:
        redis_client.config_set("maxmemory", 0)
    assert (redis_client.xlen(DLQ), redis_client.exists(JOBS)) == (1, 0)
    assert await letters.retry(ids) == {ids[0]: "retried"}


async def test_where_there_are_no_letters_there_are_no_ids(letters):
    assert await letters.first_ids() == []
    assert await letters.first(5) == []
