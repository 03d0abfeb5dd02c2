"""Logs: JSON on stderr, nothing on stdout."""

import json

import pytest
import structlog

from worker.observability.telemetry import JobAnswered, configure_logging, log_answer, one_line


@pytest.fixture(autouse=True)
def defaults_afterwards():
    yield
    structlog.reset_defaults()


def test_an_answered_job_is_one_json_line_on_stderr(capsys):
    configure_logging()
    log_answer(JobAnswered("j\n1", "1-0", "AI", 1, {"fetch": 12.345}))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    line = json.loads(told.err)
    assert (line["job_id"], line["outcome"], line["fetch_ms"], line["level"]) == ("j\n1", "AI", 12.3, "info")


def test_a_traceback_stays_inside_its_line(capsys):
    configure_logging()
    try:
        raise KeyError("x")
    except KeyError:
        structlog.get_logger("test").exception("it failed")
    assert json.loads(capsys.readouterr().err)["exception"][0]["exc_type"] == "KeyError"


def test_an_error_fits_on_one_short_line():
    assert one_line(ValueError("a\nb\n" + "c" * 1000)) == "ValueError: a b " + "c" * 296
