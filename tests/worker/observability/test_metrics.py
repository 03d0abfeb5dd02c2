"""The worker's numbers, read back from the text a scraper would get."""

import subprocess
import sys
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from forensics.examine import Examined
from forensics.types import Evidence
from tests.worker.doubles import verdict_on
from tests.worker.processes import ROOT, environment
from worker.observability.metrics import Metrics
from worker.observability.telemetry import JobAnswered
from worker.streams.queue_state import QueueState

STATE = QueueState(9, 5, 4, 0, (), 12.5, 2, 0, 0, 7, None, None, True)


def numbers(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of their names."""
    samples = [one for family in text_string_to_metric_families(metrics.page().decode()) for one in family.samples]
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(lambda: 3, lambda: {"jobs": STATE}, lambda: True)


def test_jobs_are_counted_by_outcome_and_their_stages_in_seconds(metrics):
    metrics.answered(JobAnswered("a", "1-1", "AI", 1, {"fetch": 20.0, "examine": 300.0, "conclude": 1.0, "total": 400}))
    metrics.answered(JobAnswered("b", "1-2", "AI", 2, {"fetch": 20.0}))
    metrics.answered(JobAnswered("", "1-3", "dead_letter", 6))
    found = numbers(metrics)
    assert found["img_ml_jobs_total", "AI"] == 2
    assert found["img_ml_jobs_total", "dead_letter"] == 1
    assert found[("img_ml_jobs_redelivered_total",)] == 2
    assert found["img_ml_stage_seconds_sum", "fetch"] == pytest.approx(0.04)
    assert found["img_ml_stage_seconds_count", "fetch"] == 2
    assert found["img_ml_stage_seconds_bucket", "0.25", "examine"] == 0
    assert found["img_ml_stage_seconds_bucket", "0.5", "examine"] == 1
    assert found["img_ml_stage_seconds_count", "total"] == 1


def test_batches_detectors_and_the_artifact_are_told(metrics):
    evidence = Evidence("ab" * 32, "image/png", 8, 8, (), {"noise": 30.0, "ela": 5.0})
    verdict = verdict_on(Examined(evidence, None))
    metrics.concluded([verdict, verdict])
    metrics.concluded([replace(verdict, fingerprint="other")])
    found = numbers(metrics)
    assert (found[("img_ml_batch_size_count",)], found[("img_ml_batch_size_sum",)]) == (2, 3)
    assert found["img_ml_detector_seconds_sum", "noise"] == pytest.approx(0.09)
    assert found["img_ml_detector_seconds_count", "ela"] == 3
    assert [key for key in found if key[0] == "img_ml_artifact_info"] == [("img_ml_artifact_info", "other", "double")]


def test_the_queue_and_the_jobs_in_work_are_asked_at_every_page(metrics):
    found = numbers(metrics)
    assert {name: found[f"img_ml_{name}", "jobs"] for name in ("stream_length", "stream_lag", "stream_pending")} == {
        "stream_length": 9,
        "stream_lag": 5,
        "stream_pending": 4,
    }
    assert found["img_ml_oldest_job_age_seconds", "jobs"] == 12.5
    assert (found["img_ml_dead_letters", "jobs"], found["img_ml_results_length", "jobs"]) == (2, 7)
    assert (found[("img_ml_jobs_in_work",)], found["img_ml_redis_up", "jobs"]) == (3, 1)


def test_a_queue_that_is_not_known_has_no_numbers():
    found = numbers(Metrics(lambda: 0, lambda: {"jobs": STATE, "others": None}, lambda: True))
    assert (found["img_ml_redis_up", "jobs"], found["img_ml_redis_up", "others"]) == (1, 0)
    assert found["img_ml_stream_length", "jobs"] == 9
    assert ("img_ml_stream_length", "others") not in found
    assert ("img_ml_jobs_in_work",) in found


@pytest.mark.parametrize("ready", [True, False])
def test_readiness_is_a_number(ready):
    assert numbers(Metrics(lambda: 0, dict, lambda: ready))[("img_ml_ready",)] == ready


def test_two_workers_in_one_process_count_apart(metrics):
    other = Metrics(lambda: 0, dict, lambda: True)
    metrics.answered(JobAnswered("a", "1-1", "AI", 1))
    assert ("img_ml_jobs_total", "AI") not in numbers(other)


def test_the_service_needs_no_prometheus_until_a_port_is_opened():
    script = "import sys, worker.service; sys.exit('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), cwd=ROOT, timeout=60)
    assert done.returncode == 0
