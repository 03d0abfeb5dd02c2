"""kill -9 of workers, at random moments and with jobs in their hands."""

import random
import time

import pytest

from tests.chaos.accounts import assert_exactly_once, ended, held_by, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker.processes import JOBS, RESULTS
from tests.worker.redis_server import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

KILLS, JOBS_A_KILL = 25, 240
HELD = 4


def test_six_thousand_jobs_and_25_kills_at_random_moments_lose_and_double_nothing(client, web, settings, seed):
    """Three supervised workers, killed and started again under their own names; always two others are running."""
    draw, names, pushed, with_work = random.Random(seed), ["one", "two", "three"], set[str](), 0
    with Supervisor(settings, names, "0.02") as supervisor:
        for kill in range(KILLS):
            pushed |= push_jobs(client, web, range(kill * JOBS_A_KILL, (kill + 1) * JOBS_A_KILL))
            victim = draw.choice(names)
            supervisor.until_ready([name for name in names if name != victim])
            goal = len(pushed) - draw.randint(20, JOBS_A_KILL)
            wait_until(lambda goal=goal: ended(client) >= goal, timeout=120, interval=0.002)
            time.sleep(draw.uniform(0, 0.05))
            supervisor.workers[victim].kill()
            with_work += bool(held_by(client, victim))
            supervisor.start(victim)
        found = assert_exactly_once(client, pushed)
        supervisor.stop_all()
    assert len(found.results) == KILLS * JOBS_A_KILL
    assert found.statuses == {"done": KILLS * JOBS_A_KILL}
    assert with_work >= KILLS // 3, "most kills hit a worker that had nothing to lose, which proves little"


def test_with_a_lease_of_3_s_another_worker_has_done_the_jobs_of_a_killed_one_5_s_after_the_kill(client, web, settings):
    """WORKER_LEASE_S=3, REDIS_CHECK_RATE as it is by default: looked for every third of one, so 4 s and the work."""
    lease = {"WORKER_LEASE_S": "3", "REDIS_CHECK_RATE": "5000", "WORKER_IN_FLIGHT": str(HELD)}
    with Supervisor(settings | lease, ["survivor"]) as survivors:
        survivors.until_ready()
        jobs = push_jobs(client, web, range(5))
        wait_until(lambda: ended(client) == 5, timeout=30)  # its decoding process is warm
        for victim in ("victim 1", "victim 2", "victim 3"):
            with Supervisor(settings | lease, [victim], "60") as victims:
                victims.until_ready()
                jobs |= push_until_held(client, web, victim, len(jobs))
                wait_until(
                    lambda: client.xlen(JOBS) == HELD, timeout=30, interval=0.01
                )  # the survivor has done its own
                assert len(held_by(client, victim)) == HELD
                killed, goal = time.monotonic(), len(jobs)
                victims.workers[victim].kill()
                wait_until(lambda goal=goal: client.xlen(RESULTS) == goal, timeout=30, interval=0.01)
                assert time.monotonic() - killed <= 5.0
        found = assert_exactly_once(client, jobs, lease_s=3)
        survivors.stop_all()
    assert found.statuses == {"done": len(jobs)}


def push_until_held(client, web, victim: str, first: int) -> set[str]:
    """Push one job after another until the victim has its hands full; the survivor may take as many as it likes."""
    pushed, deadline = set[str](), time.monotonic() + 60
    while len(held_by(client, victim)) < HELD:
        assert time.monotonic() < deadline
        pushed |= push_jobs(client, web, range(first + len(pushed), first + len(pushed) + 1))
        time.sleep(0.02)
    return pushed
