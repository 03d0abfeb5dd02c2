"""Whatever dies when: every accepted job ends in exactly one result."""

import signal
import subprocess
import sys
import time

import pytest

from tests.worker import web as pages
from tests.worker.processes import DLQ, JOBS, RESULTS, ROOT, WorkerProcess, environment, push, results_of
from tests.worker.redis_server import RedisServer, embedded_executable, wait_until


def push_many(client, web: pages.Web, count: int) -> set[str]:
    for n in range(count):
        push(client, f"job {n}", f"{web.url}/{n % 20}.jpg?{n}")
    return {f"job {n}" for n in range(count)}


def test_a_worker_killed_half_way_loses_and_doubles_nothing(client, web, settings):
    jobs = push_many(client, web, 120)
    with WorkerProcess(settings, "0.05") as first, WorkerProcess(settings, "0.05") as second:
        wait_until(lambda: client.xlen(RESULTS) >= 40, timeout=60)
        first.kill()
        found = results_of(client, 120)
        assert set(found) == jobs
        assert {result["status"] for result in found.values()} == {"done"}
        time.sleep(1.5)  # a lease and a half: a late double would be here by now
        assert client.xlen(RESULTS) == 120
        assert client.xlen(DLQ) == 0
        second.signal(signal.SIGTERM)
        assert second.ended() == 0


def test_a_frozen_worker_that_wakes_up_writes_nothing_twice(client, web, settings):
    jobs = push_many(client, web, 60)
    with WorkerProcess(settings, "0.05") as first, WorkerProcess(settings, "0.05"):
        first.until_ready()
        for _ in range(3):
            before = client.xlen(RESULTS)
            wait_until(lambda before=before: client.xlen(RESULTS) > before or client.xlen(JOBS) == 0, timeout=60)
            first.signal(signal.SIGSTOP)
            time.sleep(1.6)  # longer than the lease, so that its jobs are taken over
            first.signal(signal.SIGCONT)
        assert set(results_of(client, 60)) == jobs
        time.sleep(1)
        assert client.xlen(RESULTS) == 60


def test_told_to_stop_it_finishes_what_it_holds_and_leaves_the_rest(client, web, settings):
    push_many(client, web, 100)
    with WorkerProcess(settings | {"WORKER_IN_FLIGHT": "8", "WORKER_BATCH_SIZE": "2"}, "0.2") as worker:
        wait_until(lambda: client.xlen(RESULTS) >= 4, timeout=60)
        worker.signal_group(signal.SIGTERM)
        assert worker.ended() == 0
    written = client.xlen(RESULTS)
    assert written < 100
    assert client.xlen(JOBS) == 100 - written
    # A read that was under way may have been given an entry that nobody saw; it is handed back like new.
    for row in client.xpending_range(JOBS, "workers", "-", "+", 100):
        assert row["times_delivered"] == 0
        assert row["time_since_delivered"] >= 1000
    with WorkerProcess(settings, "0", "0.5") as second:
        assert second.ended(60) == 0
    assert {result["status"] for result in results_of(client, 100).values()} == {"done"}


@pytest.mark.parametrize("how", ["grace runs out", "second signal"])
def test_what_cannot_be_finished_in_time_is_handed_back_at_once_and_uncounted(client, web, settings, how):
    push_many(client, web, 6)
    grace = {"WORKER_DRAIN_S": "0.3" if how == "grace runs out" else "60", "WORKER_LEASE_S": "60"}
    with WorkerProcess(settings | grace, "30") as worker:
        wait_until(lambda: len(web.asked) == 6, timeout=60)
        worker.signal(signal.SIGTERM)
        if how == "second signal":
            wait_until(lambda: "draining" in worker.said())
            worker.signal(signal.SIGTERM)
        assert worker.ended(15) == 0
    pending = client.xpending_range(JOBS, "workers", "-", "+", 10)
    assert [row["times_delivered"] for row in pending] == [0] * 6
    assert min(row["time_since_delivered"] for row in pending) >= 60_000
    with WorkerProcess(settings | {"WORKER_LEASE_S": "60", "WORKER_CONSUMER": "another"}, "0", "0.3"):
        results_of(client, 6)


def test_a_killed_worker_leaves_no_process_behind(client, web, settings):
    with WorkerProcess(settings | {"WORKER_DECODE_PROCESSES": "2"}) as worker:
        push(client, "one", f"{web.url}/1.jpg")
        results_of(client, 1)
        # The server that decoding processes are copies of, and what it started.
        family = descendants(worker.process.pid)
        assert len(family) >= 2
        worker.kill()
        wait_until(lambda: not family & parents_of_all().keys(), timeout=15)


def descendants(process: int) -> set[int]:
    parents, family = parents_of_all(), {process}
    while more := {one for one, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {process}


def parents_of_all() -> dict[int, int]:
    """Each process that is not dead, with its parent."""
    found = subprocess.run(["ps", "axe", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in found.stdout.splitlines())
    return {int(one): int(parent) for one, parent, state in rows if not state.startswith("Z")}


@pytest.mark.parametrize("keeps_data", [True, False])
def test_redis_going_away_is_waited_out(tmp_path, web, keeps_data):
    server = RedisServer(embedded_executable(), tmp_path / "redis", appendonly=keeps_data).start()
    settings = {"REDIS_URL": server.url, "FETCH_ALLOW": web.place}
    try:
        with WorkerProcess(settings, "0.3") as worker:
            worker.until_ready()
            with server.client() as client:
                push_many(client, web, 8)
            wait_until(lambda: len(web.asked) == 8, timeout=30)
            server.stop()
            wait_until(lambda: "redis unavailable" in worker.said(), timeout=30)
            server.start()
            with server.client() as client:
                push(client, "afterwards", f"{web.url}/1.jpg")
                found = results_of(client, 9 if keeps_data else 1)
                assert "afterwards" in found
            worker.signal(signal.SIGTERM)
            assert worker.ended() == 0
    finally:
        server.stop()


def test_it_waits_for_a_redis_that_comes_later(tmp_path, web):
    server = RedisServer(embedded_executable(), tmp_path / "redis")
    try:
        with WorkerProcess({"REDIS_URL": server.url, "FETCH_ALLOW": web.place}) as worker:
            wait_until(lambda: "redis unavailable" in worker.said(), timeout=30)
            server.start()
            with server.client() as client:
                push(client, "patience", f"{web.url}/1.jpg")
                assert results_of(client, 1)["patience"]["status"] == "done"
    finally:
        server.stop()


def test_an_idle_worker_asks_once_per_block_interval(client, redis_server, settings):
    quiet = {"REDIS_CHECK_RATE": "1000", "WORKER_LEASE_S": "60"}
    with WorkerProcess(settings | quiet) as worker:
        worker.until_ready()
        time.sleep(0.5)
        client.config_resetstat()
        time.sleep(3)
        calls = {name: told["calls"] for name, told in client.info("commandstats").items()}
    ours = {name: count for name, count in calls.items() if "config" not in name and "info" not in name}
    assert set(ours) == {"cmdstat_xreadgroup"}
    assert 2 <= ours["cmdstat_xreadgroup"] <= 4


def test_a_wrong_setting_and_a_wrong_password_end_in_a_sentence_and_exit_code_2(tmp_path, redis_server):
    def run(**settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "worker"], env=environment(**settings), cwd=ROOT, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    ended = run(WORKER_BATCH_SIZE="0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "WORKER_BATCH_SIZE" in ended.stderr
    ended = run(REDIS_URL=redis_server.url.replace("redis://", "redis://:wrong@"))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "REDIS_URL" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
