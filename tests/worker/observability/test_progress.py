"""Readiness follows the work, not the process."""

import pytest

from worker.observability.progress import ProgressMonitor, progress_of
from worker.settings import WorkerSettings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock) -> ProgressMonitor:
    return ProgressMonitor(stall_s=10, silence_s=30, clock=clock)


def test_a_worker_is_not_ready_before_redis_has_answered(progress):
    assert progress.complaint() == "Redis has not answered yet."
    progress.reached_redis()
    assert progress.complaint() == ""


def test_a_worker_that_drains_is_not_ready(progress):
    progress.reached_redis()
    progress.drain()
    assert "draining" in progress.complaint()


def test_jobs_of_which_none_is_finished_are_a_stall_and_the_next_finished_one_ends_it(progress, clock):
    progress.reached_redis()
    clock.now += 25  # idle for long: that is no stall
    progress.began()
    progress.began()
    clock.now += 9
    progress.reached_redis()
    assert progress.complaint() == ""
    clock.now += 2
    assert progress.complaint() == "No job was finished for 11 s, with 2 in work."
    progress.ended(finished=True)
    assert progress.complaint() == ""
    assert progress.in_work == 1


def test_jobs_that_end_unfinished_are_no_progress(progress, clock):
    progress.reached_redis()
    progress.began()
    for _ in range(11):
        clock.now += 1
        progress.began()
        progress.ended(finished=False)
    assert "No job was finished for 11 s" in progress.complaint()


def test_new_jobs_do_not_hide_a_stall(progress, clock):
    progress.reached_redis()
    for _ in range(11):
        progress.began()
        clock.now += 1
    assert "No job was finished for 11 s" in progress.complaint()


def test_a_loop_that_hears_nothing_of_redis_is_not_ready(progress, clock):
    progress.reached_redis()
    clock.now += 31
    assert progress.complaint() == "Redis has not answered for 31 s."


def test_a_finished_job_is_a_sign_of_redis(progress, clock):
    progress.reached_redis()
    progress.began()
    clock.now += 31
    progress.ended(finished=True)
    assert progress.complaint() == ""


@pytest.mark.parametrize(("networks", "limit"), [(False, 5), (True, 47)])
def test_the_limits_follow_from_the_settings_and_networks_are_given_time(monkeypatch, tmp_path, networks, limit):
    monkeypatch.chdir(tmp_path)
    settings = WorkerSettings(
        fetch_timeout_s=1, worker_decode_timeout_s=2, worker_engine_s=42, redis_check_rate=600_000
    )
    progress = progress_of(settings, networks=networks)
    clock = progress._clock = Clock()
    progress.reached_redis()
    progress.began()
    clock.now = progress._moved + limit - 0.1
    progress._contact = clock.now
    assert progress.complaint() == ""
    clock.now += 0.2
    assert "No job was finished" in progress.complaint()
