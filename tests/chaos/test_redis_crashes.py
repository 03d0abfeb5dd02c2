"""Redis itself dies and comes back with what its append-only file kept."""

import random
import time

import pytest

from tests.chaos.accounts import assert_exactly_once, ended, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker.redis_server import RedisServer, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

CRASHES, JOBS_A_CRASH = 3, 400


@pytest.fixture
def server(executable, tmp_path):
    """A Redis that writes every command to its append-only file before it answers."""
    started = RedisServer(executable, tmp_path / "redis", appendonly=True).start()
    yield started
    started.stop()


def test_work_goes_on_within_10_s_of_redis_being_back_and_nothing_is_lost_or_doubled(
    client, server, web, settings, seed
):
    """SIGKILL of Redis with appendfsync always, three times in mid-run; it stays away for up to 5 s."""
    draw, pushed = random.Random(seed), set[str]()
    with Supervisor(settings, ["one", "two"], "0.05") as supervisor:
        supervisor.until_ready()
        for crash in range(CRASHES):
            pushed |= push_jobs(client, web, range(crash * JOBS_A_CRASH, (crash + 1) * JOBS_A_CRASH))
            goal = len(pushed) - draw.randint(JOBS_A_CRASH // 2, JOBS_A_CRASH)
            wait_until(lambda goal=goal: ended(client) > goal, timeout=60, interval=0.002)
            server.stop()
            time.sleep(draw.uniform(0.5, 5))  # the time it is away, not something to wait for
            server.start()
            back, before = time.monotonic(), ended(client)
            assert before < len(pushed), "everything was done before Redis died"
            wait_until(lambda before=before: ended(client) > before, timeout=30, interval=0.01)
            assert time.monotonic() - back <= 10
        found = assert_exactly_once(client, pushed)
        supervisor.stop_all()
    assert found.statuses == {"done": CRASHES * JOBS_A_CRASH}
