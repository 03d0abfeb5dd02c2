"""SIGTERM in the middle of batches, again and again."""

import random
import signal

import pytest

from tests.chaos.accounts import assert_exactly_once, ended, held_by, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker.redis_server import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

STOPS, JOBS_A_STOP = 6, 150


@pytest.mark.parametrize(
    "drain_s", [pytest.param("25", id="all is finished"), pytest.param("0.05", id="the rest is handed back")]
)
def test_workers_told_to_stop_and_started_again_lose_and_double_nothing(client, web, settings, seed, drain_s):
    """Three workers; each stop hits one or two of them with jobs in their hands, and all end with exit code 0."""
    draw, names, pushed, handed_back = random.Random(seed), ["one", "two", "three"], set[str](), 0
    with Supervisor(settings | {"WORKER_DRAIN_S": drain_s, "WORKER_BATCH_SIZE": "4"}, names, "0.05") as supervisor:
        for stop in range(STOPS):
            supervisor.until_ready()
            pushed |= push_jobs(client, web, range(stop * JOBS_A_STOP, (stop + 1) * JOBS_A_STOP))
            victims = draw.sample(names, draw.randint(1, 2))
            goal = len(pushed) - draw.randint(JOBS_A_STOP // 2, JOBS_A_STOP)
            wait_until(lambda goal=goal: ended(client) >= goal, timeout=60, interval=0.002)
            wait_until(lambda: held_by(client, victims[0]), timeout=30, interval=0.002)  # noqa: B023 - called at once
            leaving = [supervisor.workers[name] for name in victims]
            for worker in leaving:
                draw.choice([worker.signal, worker.signal_group])(signal.SIGTERM)
            for worker in leaving:
                assert worker.ended(60) == 0, worker.said()
                handed_back += "unfinished jobs handed back" in worker.said()
            for name in victims:
                supervisor.start(name)
        found = assert_exactly_once(client, pushed)
        supervisor.stop_all()
    assert found.statuses == {"done": STOPS * JOBS_A_STOP}
    if drain_s == "0.05":
        assert handed_back > 0, "nobody had anything left to hand back: the short grace time proves nothing"
