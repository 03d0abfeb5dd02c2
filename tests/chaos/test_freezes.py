"""Workers that stand still for longer than their lease and wake up again."""

import random
import signal

import pytest

from tests.chaos.accounts import assert_exactly_once, held_by, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker.redis_server import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

FREEZES, JOBS_A_FREEZE = 8, 150


def test_eight_frozen_workers_that_wake_up_after_their_lease_lose_and_double_nothing(client, web, settings, seed):
    """SIGSTOP while jobs are in the victim's hands, SIGCONT only when the other worker has all of them."""
    draw, pushed = random.Random(seed), set[str]()
    with Supervisor(settings, ["one", "two"], "0.05") as supervisor:
        supervisor.until_ready()
        for freeze in range(FREEZES):
            victim = draw.choice(["one", "two"])
            pushed |= push_jobs(client, web, range(freeze * JOBS_A_FREEZE, (freeze + 1) * JOBS_A_FREEZE))
            worker = supervisor.workers[victim]
            # With its decoding processes or without them.
            stop = draw.choice([worker.signal, worker.signal_group])
            # More than one batch, so that some are left however many results are on their way.
            wait_until(lambda victim=victim: len(held_by(client, victim)) >= 16, timeout=60, interval=0.002)
            stop(signal.SIGSTOP)
            assert held_by(client, victim)
            wait_until(lambda victim=victim: not held_by(client, victim), timeout=60)
            stop(signal.SIGCONT)
        found = assert_exactly_once(client, pushed)
        supervisor.stop_all()
        told = [worker.said().count("another worker finished first") for worker in supervisor.workers.values()]
    assert found.statuses == {"done": FREEZES * JOBS_A_FREEZE}
    assert sum(told) > 0, "nobody who woke up tried to write a double: the freezes prove nothing"
