"""The group, or all of Redis's memory, is gone in mid-run."""

import random
import time

import pytest

from tests.chaos.accounts import GROUP, assert_exactly_once, ended, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker.processes import JOBS
from tests.worker.redis_server import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

LOSSES, JOBS_A_LOSS = 6, 200


def test_after_flushall_the_workers_go_on_and_every_job_pushed_since_ends_exactly_once(client, web, settings, seed):
    """What was flushed is gone, and none of it comes back as a result: work on it in hand ends in nothing."""
    draw = random.Random(seed)
    with Supervisor(settings, ["one", "two"], "0.05") as supervisor:
        supervisor.until_ready()
        for loss in range(LOSSES):
            push_jobs(client, web, range(loss * JOBS_A_LOSS, (loss + 1) * JOBS_A_LOSS))
            wanted = draw.randint(1, JOBS_A_LOSS // 2)
            wait_until(lambda wanted=wanted: ended(client) >= wanted, timeout=60, interval=0.002)
            assert client.xpending(JOBS, GROUP)["pending"] > 0
            client.flushall()
            assert ended(client) < JOBS_A_LOSS
            time.sleep(draw.choice([0, 0.3]))  # the next jobs come before the group is made again, or after
        since = push_jobs(client, web, range(10_000, 10_300))
        found = assert_exactly_once(client, since)
        supervisor.stop_all()
    assert found.statuses == {"done": 300}


def test_after_xgroup_destroy_every_job_in_the_stream_and_pushed_since_ends_exactly_once(client, web, settings, seed):
    """The group is made again from the beginning of the stream: what was in work is delivered a second time.

    Whoever finishes it first while it is pending in the new group writes the result; the other one writes nothing.
    """
    draw, pushed = random.Random(seed), set[str]()
    with Supervisor(settings, ["one", "two"], "0.05") as supervisor:
        supervisor.until_ready()
        for loss in range(LOSSES):
            pushed |= push_jobs(client, web, range(loss * JOBS_A_LOSS, (loss + 1) * JOBS_A_LOSS))
            goal = len(pushed) - draw.randint(JOBS_A_LOSS // 2, JOBS_A_LOSS - 1)
            wait_until(lambda goal=goal: ended(client) >= goal, timeout=60, interval=0.002)
            assert client.xpending(JOBS, GROUP)["pending"] > 0
            assert client.xgroup_destroy(JOBS, GROUP) == 1
            wait_until(lambda: client.xinfo_groups(JOBS), timeout=20, interval=0.005)
        found = assert_exactly_once(client, pushed)
        supervisor.stop_all()
    assert found.statuses == {"done": LOSSES * JOBS_A_LOSS}
