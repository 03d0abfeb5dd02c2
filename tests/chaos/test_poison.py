"""Jobs that kill the worker process itself, and messages that nobody can carry, among good ones."""

import pytest

from tests.chaos.accounts import assert_exactly_once, ended, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker import web as pages
from tests.worker.doubles import DEADLY_WIDTH
from tests.worker.processes import DLQ, JOBS, push
from tests.worker.redis_server import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


def test_only_the_job_that_kills_workers_is_buried(client, web, settings):
    """Forty good jobs beside it, all of them in work at the first death; the supervisor starts the worker again."""
    web.pages["/deadly.jpg"] = pages.photo(1, (DEADLY_WIDTH, 80))
    good = push_jobs(client, web, range(20))
    push(client, "deadly", f"{web.url}/deadly.jpg")
    good |= push_jobs(client, web, range(20, 40))
    limits = {"WORKER_MAX_DELIVERIES": "5", "WORKER_IN_FLIGHT": "41", "WORKER_BATCH_SIZE": "64"}
    with Supervisor(settings | limits | {"WORKER_BATCH_WAIT_MS": "100"}, ["one"]) as supervisor:
        deaths = 0
        while client.xlen(JOBS):
            if supervisor.workers["one"].process.poll() is not None:
                deaths += 1
                assert deaths < 12, "the guilty job was not found"
                supervisor.start("one")
            wait_until(lambda: supervisor.workers["one"].process.poll() is not None or not client.xlen(JOBS), 180)
        found = assert_exactly_once(client, good | {"deadly"})
        supervisor.stop_all()
    assert set(found.dead_letters) == {"deadly"}
    assert set(found.results) == good
    assert deaths >= 4


def test_messages_of_fifty_megabytes_hold_up_nobody(client, web, settings):
    huge = "x" * 50_000_000
    for _ in range(20):
        client.xadd(JOBS, {"data": huge})
    good = push_jobs(client, web, range(10))
    with Supervisor(settings | {"WORKER_IN_FLIGHT": "32"}, ["one"]) as supervisor:
        wait_until(lambda: ended(client) == 30, timeout=120)
        assert client.xlen(JOBS) == 0
        assert supervisor.workers["one"].peak_mib() < 700
        supervisor.stop_all()
    letters = [fields for _, fields in client.xrange(DLQ)]
    assert len(letters) == 20
    assert all("data" not in letter and "50000004 bytes" in letter["reason"] for letter in letters)
    assert len(good) == 10
