"""A thousand jobs, two workers, one killed half-way: a thousand results."""

import time

import pytest

from tests.worker import web as pages
from tests.worker.processes import DLQ, JOBS, RESULTS, WorkerProcess, push, results_of
from tests.worker.redis_server import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.mark.parametrize("kills", [1, 6])
def test_a_thousand_jobs_survive_killed_workers(client, redis_server, kills):
    with pages.running_web() as web:
        web.pages |= {f"/{n}.jpg": pages.photo(n, (640, 480)) for n in range(20)}
        settings = {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place, "WORKER_MAX_DELIVERIES": "20"}
        for n in range(1000):
            push(client, str(n), f"{web.url}/{n % 20}.jpg?{n}")
        with WorkerProcess(settings, "0.02"):
            for kill in range(1, kills + 1):
                with WorkerProcess(settings, "0.02") as victim:
                    victim.until_ready()
                    goal = min(950, 500 + kill * 60)
                    wait_until(lambda goal=goal: client.xlen(RESULTS) >= goal, timeout=300)
                    victim.kill()
            found = results_of(client, 1000, timeout=300)
            assert set(found) == {str(n) for n in range(1000)}
            assert {result["status"] for result in found.values()} == {"done"}
            time.sleep(3)
            assert (client.xlen(RESULTS), client.xlen(DLQ), client.xlen(JOBS)) == (1000, 0, 0)
