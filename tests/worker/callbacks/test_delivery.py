"""The deliverer against a real Redis and real receivers that are away, slow, or of another opinion."""

import asyncio
import collections
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.worker import web as pages
from tests.worker.receiver import Receiver, running_receiver
from tests.worker.redis_server import RedisServer
from worker.callbacks.client import CallbackClient, CallbackClientRules
from worker.callbacks.delivery import Deliverer, DeliveryRules, delay_after
from worker.errors import CallbackFailedError
from worker.streams.outbox import GROUP, Outbox
from worker.streams.stream import StreamNames

STREAM, WAITING, DLQ = "jobs:callbacks", "jobs:callbacks:waiting", "jobs:callbacks:dlq"
QUICK = {"first_delay_s": 0.02, "lease_s": 1.0, "drain_s": 2.0, "concurrency": 3}


class Worker:
    """A deliverer in this process."""

    def __init__(self, url: str, post, consumer: str = "one", **rules) -> None:
        self.rules = DeliveryRules(**{**QUICK, **rules})
        self.outbox = Outbox(url, StreamNames("jobs", "results", "workers", consumer), lease_s=self.rules.lease_s)
        self.written, self.stop, self.hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.deliverer = Deliverer(self.outbox, post, self.rules, self.written)

    async def __aenter__(self) -> "Worker":
        self.running = asyncio.create_task(self.deliverer.run(self.stop, self.hurry))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await self.running
        await self.outbox.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as server:
        yield server


@pytest.fixture
async def post(receiver) -> AsyncIterator:
    callback_client = CallbackClient(CallbackClientRules(timeout_s=0.5, allowed_places=frozenset({receiver.place})))
    yield callback_client.post
    await callback_client.close()


@pytest.fixture
def url(redis_server: RedisServer, client) -> str:
    return redis_server.url


def write(client, place: str, count: int, first: int = 0) -> set[str]:
    jobs = [f"j{n}" for n in range(first, first + count)]
    for job in jobs:
        client.xadd(STREAM, {"url": place, "job_id": job, "body": f'{{"jobId":"{job}"}}'})
    return set(jobs)


def nothing_left(client) -> bool:
    return client.xlen(STREAM) == 0 and client.zcard(WAITING) == 0 and client.xpending(STREAM, GROUP)["pending"] == 0


async def until(condition, seen=None) -> None:
    """Poll until it holds; where it never does, say which condition and what there was (`seen`) instead."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, (inspect.getsource(condition).strip(), seen)
        await asyncio.sleep(0.01)


async def test_everything_in_the_outbox_is_delivered_once(url, client, receiver, post):
    jobs = write(client, receiver.url, 30)
    async with Worker(url, post), Worker(url, post, "two"):
        await until(lambda: len(receiver.taken) >= 30 and nothing_left(client))
    assert sorted(receiver.taken) == sorted(jobs)
    assert len(receiver.posted) == 30


async def test_the_word_that_something_was_written_is_enough(url, client, receiver, post):
    async with Worker(url, post, lease_s=600) as worker:
        await asyncio.sleep(0.1)
        write(client, receiver.url, 1)
        worker.written.set()
        await until(lambda: receiver.taken and nothing_left(client))
    assert receiver.taken == ["j0"]


async def test_a_receiver_that_fails_then_is_slow_then_well_gets_each_job_once(url, client, receiver, post):
    receiver.replies = [pages.status(500)] * 6 + [lambda handler: time.sleep(0.7)] * 2 + [pages.status(404)] * 3
    jobs = write(client, receiver.url, 10)
    async with Worker(url, post):
        await until(lambda: len(receiver.taken) >= 10 and nothing_left(client))
    assert sorted(receiver.taken) == sorted(jobs)
    assert len(receiver.posted) == 21
    assert client.exists(DLQ) == 0


async def test_a_receiver_that_was_away_gets_each_job_once_when_it_is_back(url, client):
    with running_receiver() as gone:
        port, place = gone.server.server_port, gone.place
    callback_client = CallbackClient(CallbackClientRules(timeout_s=0.5, allowed_places=frozenset({place})))
    jobs = write(client, gone.url, 10)
    async with Worker(url, callback_client.post, first_delay_s=0.1):
        await until(lambda: client.zcard(WAITING) == 10)
        with Receiver(port) as back:
            await until(lambda: len(back.taken) >= 10 and nothing_left(client))
    await callback_client.close()
    assert sorted(back.taken) == sorted(jobs)


async def test_waiting_callbacks_take_no_place_of_others(url, client, receiver):
    async def choosy(target: str, body: bytes, traceparent: str) -> None:
        if target == "bad":
            raise CallbackFailedError("no")
        good.append(body)

    good: list[bytes] = []
    write(client, "bad", 20)
    write(client, "good", 20, first=20)
    async with Worker(url, choosy, concurrency=1, first_delay_s=60):
        await until(lambda: len(good) == 20, good)
        await until(lambda: client.zcard(WAITING) == 20)
    assert good == [f'{{"jobId":"j{n}"}}'.encode() for n in range(20, 40)]


async def test_a_receiver_that_hangs_does_not_hold_up_the_callbacks_of_others(url, client, receiver):
    with running_receiver() as hanging:
        hanging.reply = lambda handler: time.sleep(1.2)
        callback_client = CallbackClient(
            CallbackClientRules(timeout_s=1.0, allowed_places=frozenset({receiver.place, hanging.place}))
        )
        write(client, hanging.url, 30)
        write(client, receiver.url, 10, first=30)
        started = time.monotonic()
        async with Worker(url, callback_client.post, first_delay_s=60):
            await until(lambda: len(receiver.taken) == 10)
            assert time.monotonic() - started < 4  # one after the other, the hanging ones alone would take 10 s
        await callback_client.close()


async def test_attempts_end_in_a_dead_letter_with_the_last_reason(url, client, receiver, post):
    receiver.reply = pages.status(500)
    write(client, receiver.url, 2)
    async with Worker(url, post, max_attempts=3):
        await until(lambda: client.xlen(DLQ) == 2 and nothing_left(client))
    assert collections.Counter(posted.content["jobId"] for posted in receiver.posted) == {"j0": 3, "j1": 3}
    letters = [letter for _, letter in client.xrange(DLQ)]
    assert {(letter["reason"], letter["attempts"]) for letter in letters} == {("The receiver answered 500.", "3")}


async def test_a_blocked_address_is_a_dead_letter_at_once_and_never_connected_to(url, client, receiver):
    strict = CallbackClient(
        CallbackClientRules(timeout_s=0.5, allowed_places=frozenset({f"other.test:{receiver.server.server_port}"}))
    )
    write(client, receiver.url, 1)
    write(client, "http://169.254.169.254/latest/", 1, first=1)
    async with Worker(url, strict.post):
        await until(lambda: client.xlen(DLQ) == 2 and nothing_left(client))
    await strict.close()
    assert receiver.posted == []
    assert {letter["attempts"] for _, letter in client.xrange(DLQ)} == {"1"}


async def test_a_bug_counts_as_an_attempt_and_stops_nothing(url, client):
    async def broken(target: str, body: bytes, traceparent: str) -> None:
        raise KeyError("/secret")

    write(client, "http://b.test/", 1)
    async with Worker(url, broken, max_attempts=2):
        await until(lambda: client.xlen(DLQ) == 1)
    assert client.xrange(DLQ)[0][1]["reason"] == "Posting the callback failed unexpectedly (KeyError)."


async def test_no_more_are_posted_at_once_than_allowed(url, client):
    now, most, done = 0, 0, 0

    async def slow(target: str, body: bytes, traceparent: str) -> None:
        nonlocal now, most, done
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0.02)
        now, done = now - 1, done + 1

    write(client, "x", 20)
    async with Worker(url, slow, concurrency=3):
        await until(lambda: done == 20)
    assert most == 3


async def test_a_long_delivery_keeps_its_lease(url, client):
    posted = []

    async def slow(target: str, body: bytes, traceparent: str) -> None:
        posted.append(body)
        await asyncio.sleep(1.5)

    write(client, "x", 1)
    async with Worker(url, slow, lease_s=0.4), Worker(url, slow, "two", lease_s=0.4):
        await until(lambda: posted and nothing_left(client))
    assert len(posted) == 1


async def test_what_a_dead_worker_held_or_never_read_is_delivered_by_another(url, client, receiver, post):
    jobs = write(client, receiver.url, 2)
    client.xgroup_create(STREAM, GROUP, "0")
    client.xreadgroup(GROUP, "dead", {STREAM: ">"}, count=1)
    async with Worker(url, post, lease_s=0.3):
        await until(lambda: len(receiver.taken) == 2 and nothing_left(client))
    assert set(receiver.taken) == jobs


async def test_when_told_to_stop_what_is_being_posted_is_finished_and_the_rest_stays(url, client):
    begun, done = [], []

    async def slow(target: str, body: bytes, traceparent: str) -> None:
        begun.append(body)
        await asyncio.sleep(0.5)
        done.append(body)

    write(client, "x", 9)
    async with Worker(url, slow) as worker:
        await until(lambda: len(begun) == 3)
        worker.stop.set()
    assert len(begun) == len(done) == 3
    assert client.xlen(STREAM) == 6
    assert client.xpending(STREAM, GROUP)["pending"] == 0


@pytest.mark.parametrize("way", ["grace", "hurry"])
async def test_the_grace_time_and_a_second_signal_end_the_draining(url, client, way):
    begun = []

    async def endless(target: str, body: bytes, traceparent: str) -> None:
        begun.append(body)
        await asyncio.sleep(60)

    write(client, "x", 1)
    started = time.monotonic()
    async with Worker(url, endless, drain_s=0.2 if way == "grace" else 60) as worker:
        await until(lambda: begun)
        worker.stop.set()
        if way == "hurry":
            worker.hurry.set()
    assert time.monotonic() - started < 5
    assert client.xlen(STREAM) == 1


async def test_deliveries_go_on_after_redis_was_away_and_forgot_everything(url, client, receiver, post):
    async with Worker(url, post, lease_s=0.2):
        write(client, receiver.url, 1)
        await until(lambda: receiver.taken)
        client.flushall()
        with contextlib.suppress(Exception):
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        write(client, receiver.url, 1, first=1)
        await until(lambda: len(receiver.taken) == 2 and nothing_left(client), receiver.taken)
    assert receiver.taken == ["j0", "j1"]


def test_delays_grow_by_four_with_jitter_to_an_hour():
    for failures, longest in ((1, 1.0), (2, 4.0), (4, 64.0), (8, 3600.0), (100, 3600.0)):
        delays = [delay_after(failures, 1.0) for _ in range(200)]
        assert longest / 2 <= min(delays) < 0.75 * longest < max(delays) <= longest


async def test_a_refusal_without_a_request_counts_as_no_attempt(url, client):
    write(client, "http://b.test/x", 1)
    refusals = []

    taken = []

    async def post(url: str, body: bytes, traceparent: str) -> None:
        if len(refusals) < 12:
            refusals.append(url)
            raise CallbackFailedError("The receiver did not answer the last callbacks in time.", tried=False)
        taken.append(body)

    async with Worker(url, post, max_attempts=2, first_delay_s=0.0001):
        await until(lambda: len(refusals) == 12 and nothing_left(client), refusals)
    assert taken == [b'{"jobId":"j0"}']
    assert client.xlen(DLQ) == 0
