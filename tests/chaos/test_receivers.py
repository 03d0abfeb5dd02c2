"""Receivers of callbacks that are down, slow or of another opinion, while workers are killed beside it."""

import time
from collections import defaultdict

import pytest

from tests.chaos.accounts import Ends, assert_exactly_once, ended, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker import web as pages
from tests.worker.processes import JOBS
from tests.worker.receiver import Receiver, accept
from tests.worker.redis_server import free_port, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

CALLBACKS = f"{JOBS}:callbacks"
LETTERS = f"{CALLBACKS}:dlq"
JOBS_A_TROUBLE = 60


def callback_settings(settings: dict[str, str], web: pages.Web, port: int) -> dict[str, str]:
    return settings | {
        "FETCH_ALLOW": web.place,
        "CALLBACK_ALLOW": f"127.0.0.1:{port}",
        "CALLBACK_RETRY_S": "0.1",
        "CALLBACK_TIMEOUT_S": "0.5",
        "CALLBACK_MAX_ATTEMPTS": "50",
    }


def all_callbacks_are_dealt_with(client) -> bool:
    return client.xlen(CALLBACKS) == 0 and client.zcard(f"{CALLBACKS}:waiting") == 0


def slowly(handler) -> None:
    time.sleep(1.0)


def test_results_do_not_wait_for_a_receiver_that_is_down_then_slow_then_500_and_each_callback_arrives(
    client, web, settings
):
    port = free_port()
    pushed = set[str]()

    def push_and_wait(trouble: int) -> set[str]:
        numbers = range(trouble * JOBS_A_TROUBLE, (trouble + 1) * JOBS_A_TROUBLE)
        jobs = push_jobs(client, web, numbers, callback_url=f"http://127.0.0.1:{port}/hook")
        wait_until(lambda: ended(client) == numbers.stop, timeout=20)
        return jobs

    with Supervisor(callback_settings(settings, web, port), ["one", "two"]) as supervisor:
        supervisor.until_ready()
        pushed |= push_and_wait(0)  # nobody listens on that port
        supervisor.kill_and_start_again("one")
        with Receiver(port) as receiver:
            receiver.reply = slowly
            pushed |= push_and_wait(1)
            supervisor.kill_and_start_again("two")
            receiver.reply = pages.status(500)
            pushed |= push_and_wait(2)
            supervisor.until_ready()
            receiver.reply = accept
            found = assert_exactly_once(client, pushed)
            wait_until(lambda: all_callbacks_are_dealt_with(client), timeout=240)
            assert client.xlen(LETTERS) == 0
            assert set(receiver.taken) == pushed
            supervisor.stop_all()
            assert_each_was_posted(receiver, found)


def assert_each_was_posted(receiver: Receiver, found: Ends) -> None:
    """Each job at least once, and always with the same bytes, which say what its result says."""
    bodies = defaultdict(set)
    for posted in receiver.posted:
        bodies[posted.content["jobId"]].add(posted.body)
    assert bodies.keys() == found.results.keys()
    assert all(len(same) == 1 for same in bodies.values())
    for posted in receiver.posted:
        label = found.results[posted.content["jobId"]]["label"]
        assert posted.content["mark"] == {"AI": "AI", "NON-AI": "NONAI"}[label]


def test_a_callback_nobody_takes_is_one_dead_letter_after_the_last_attempt_and_others_arrive(client, web, settings):
    with Receiver() as receiver:
        port = receiver.server.server_port
        receiver.reply = lambda handler: pages.answer(handler, b"", 500 if handler.path == "/refused" else 200)
        more = callback_settings(settings, web, port) | {"CALLBACK_MAX_ATTEMPTS": "3"}
        with Supervisor(more, ["one", "two"]) as supervisor:
            supervisor.until_ready()
            taken = push_jobs(client, web, range(60), callback_url=f"http://127.0.0.1:{port}/taken")
            refused = push_jobs(client, web, range(100, 160), callback_url=f"http://127.0.0.1:{port}/refused")
            wait_until(lambda: ended(client) >= 20, timeout=30, interval=0.002)
            supervisor.kill_and_start_again("one")
            assert_exactly_once(client, taken | refused)
            wait_until(lambda: all_callbacks_are_dealt_with(client), timeout=60)
            supervisor.stop_all()
    letters = [fields for _, fields in client.xrange(LETTERS)]
    assert sorted(letter["job_id"] for letter in letters) == sorted(refused)
    assert {(letter["reason"], letter["attempts"]) for letter in letters} == {("The receiver answered 500.", "3")}
    assert {posted.content["jobId"] for posted in receiver.posted if posted.path == "/taken"} == taken
