"""Examining: a failing analyzer is skipped with its reason and spares the others."""

import math

import pytest

from forensics import examine as module
from forensics.examine import checked, examine, run_analyzer
from forensics.registry import DetectorSpec, Number, Registered
from forensics.types import ImageSample, Measured, Skipped
from tests.forensics.pictures import photo, sample_of

SPEC = DetectorSpec("probe", "Probe", 1, (Number("probe_value", 0, 1, "value"),), "nothing", "always")


@pytest.fixture(scope="module")
def sample() -> ImageSample:
    return sample_of(photo()[:100, :100])


def test_an_exception_becomes_a_reason(sample: ImageSample) -> None:
    def explode(sample: ImageSample) -> Measured:
        raise ZeroDivisionError("by nothing")

    signal = run_analyzer(Registered(SPEC, analyze=explode), sample)
    assert signal == Skipped("probe", "failed: ZeroDivisionError: by nothing")


@pytest.mark.parametrize("value", [-0.1, 1.1, math.inf])
def test_a_number_out_of_its_range_is_not_passed_on(value: float) -> None:
    signal = checked(Registered(SPEC), Measured("probe", {"probe_value": value}, "s"))
    assert isinstance(signal, Skipped)
    assert "outside" in signal.reason


def test_nan_is_a_number_that_could_not_be_measured() -> None:
    signal = Measured("probe", {"probe_value": math.nan}, "s")
    assert checked(Registered(SPEC), signal) is signal


@pytest.mark.parametrize("numbers", [{}, {"other": 0.5}, {"probe_value": 0.5, "other": 0.5}])
def test_undeclared_or_missing_numbers_are_not_passed_on(numbers: dict[str, float]) -> None:
    assert isinstance(checked(Registered(SPEC), Measured("probe", numbers, "s")), Skipped)


def test_a_failing_analyzer_spares_the_others(sample: ImageSample, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(sample: ImageSample) -> Measured:
        raise ValueError("no")

    whole = module.analyzers()
    monkeypatch.setattr(module, "analyzers", lambda: (Registered(SPEC, analyze=explode), *whole))
    signals = examine(sample).signals
    assert isinstance(signals[0], Skipped)
    assert sum(isinstance(signal, Measured) for signal in signals) == len(whole)


def test_only_the_named_analyzers_run_and_are_timed(sample: ImageSample) -> None:
    evidence = examine(sample, ["noise", "ela"])
    assert [signal.detector for signal in evidence.signals] == ["ela", "noise"]
    assert set(evidence.timings_ms) == {"ela", "noise"}
    assert (evidence.width, evidence.height, evidence.image_sha256) == (100, 100, sample.sha256)
