"""What a worker says when it starts: all of it, for people and as one line."""

import json
import sys

import pytest
from structlog.testing import capture_logs

from fusion.interface import About
from worker.observability.startup import block, tell_start
from worker.settings import WorkerSettings

ABOUT = About("full", "cuda", ("ela", "noise"), {"dino": "its weights\x1b[1m are missing"}, "trained", "ab" * 32)


@pytest.fixture
def settings(monkeypatch) -> WorkerSettings:
    monkeypatch.setenv("WORKER_STREAM", "urgent:jobs=4,jobs=1")
    monkeypatch.setenv("WORKER_IN_FLIGHT", "77")
    return WorkerSettings(_env_file=None)


def test_the_block_names_profile_device_detectors_streams_and_limits(settings):
    told = block(settings, ABOUT)
    for part in (
        "full on cuda",
        "trained (abababababababab)",
        "ela, noise",
        "urgent:jobs -> ",
        "77 jobs",
        "15 s to fetch",
    ):
        assert part in told
    assert "dino: its weights\\x1b[1m are missing" in told
    assert "\x1b" not in told


def test_where_no_terminal_listens_it_is_one_event_of_plain_json(settings, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with capture_logs() as logs:
        tell_start(settings, ABOUT)
    (told,) = logs
    assert json.loads(json.dumps(told)) == told
    assert (told["event"], told["profile"], told["device"], told["detectors"]) == (
        "worker starts", "full", "cuda", ["ela", "noise"],
    )  # fmt: skip
    assert told["missing"].keys() == {"dino"}
    assert told["streams"] == dict.fromkeys(("urgent:jobs", "jobs"), "stream:ai:imageml:results")
    assert told["limits"]["worker_in_flight"] == 77
