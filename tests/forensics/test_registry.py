"""The registry: names are unique, typos get a hint, wrong declarations are refused."""

from dataclasses import replace

import pytest

from forensics import registry
from forensics.errors import RegistryError
from forensics.registry import Detector, DetectorSpec, Head, Number, Prior, Setup, analyzer, detector, entries, get
from forensics.types import ImageSample, Skipped


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))


def spec(name: str, number: str = "some_number", high: float = 1) -> DetectorSpec:
    return DetectorSpec(name, name, 1, (Number(number, 0, high, "something"),), "pixels", "never")


def analyze(sample: ImageSample) -> Skipped:
    return Skipped("x", "r")


def load(setup: Setup) -> Detector:
    raise NotImplementedError


def test_a_registered_detector_is_found_in_order() -> None:
    analyzer(spec("aaa"))(analyze)
    assert get("aaa").analyze is analyze
    names = [entry.spec.name for entry in entries()]
    assert names == sorted(names)


def test_a_name_twice_is_refused() -> None:
    analyzer(spec("aaa"))(analyze)
    with pytest.raises(RegistryError, match="Two detectors are named 'aaa'"):
        analyzer(spec("aaa", "other"))(analyze)


def test_a_number_of_two_detectors_is_refused() -> None:
    analyzer(spec("aaa"))(analyze)
    with pytest.raises(RegistryError, match="both measure 'some_number'"):
        analyzer(spec("bbb"))(analyze)


def test_weights_of_two_detectors_may_not_share_a_name() -> None:
    class Weights:
        name = "some-weights"

    detector(spec("aaa"), weights=(Weights(),))(load)
    with pytest.raises(RegistryError, match="'aaa' both have weights named 'some-weights'"):
        detector(spec("bbb", "other"), weights=(Weights(),))(load)
    assert "bbb" not in {entry.spec.name for entry in entries()}


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(RegistryError, match="range of 'some_number' is empty"):
        analyzer(spec("aaa", high=0))(analyze)


def test_a_typo_gets_a_hint() -> None:
    analyzer(spec("spectral"))(analyze)
    with pytest.raises(RegistryError, match="Did you mean 'spectral'"):
        get("spectrel")


@pytest.mark.parametrize(
    ("number", "high", "accuracy", "told"),
    [
        ("other_number", 1, 0.6, "'other_number', which it does not declare as a probability"),
        ("some_number", 2, 0.6, "'some_number', which it does not declare as a probability"),
        ("some_number", 1, 0.5, "must be between 0.5 and 0.9"),
        ("some_number", 1, 0.9, "must be between 0.5 and 0.9"),
        ("some_number", 1, float("nan"), "must be between 0.5 and 0.9"),
    ],
)
def test_a_prior_that_cannot_be_weighed_is_refused(number: str, high: float, accuracy: float, told: str) -> None:
    declared = replace(spec("aaa", high=high), prior=Prior(number, accuracy, "a test"))
    with pytest.raises(RegistryError, match=told):
        analyzer(declared)(analyze)


def test_what_a_trained_head_gives_has_no_prior() -> None:
    declared = replace(spec("aaa"), prior=Prior("some_number", 0.6, "a test"), head=Head("some_number", "svm"))
    with pytest.raises(RegistryError, match="comes from a trained head"):
        analyzer(declared)(analyze)
