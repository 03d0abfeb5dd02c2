"""The registry: names are unique, typos get a hint, wrong declarations are refused."""

import pytest

from forensics import registry
from forensics.errors import RegistryError
from forensics.registry import DetectorSpec, Number, analyzer, entries, get
from forensics.types import ImageSample, Skipped


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))


def spec(name: str, number: str = "some_number", high: float = 1) -> DetectorSpec:
    return DetectorSpec(name, name, 1, (Number(number, 0, high, "something"),), "pixels", "never")


def analyze(sample: ImageSample) -> Skipped:
    return Skipped("x", "r")


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


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(RegistryError, match="range of 'some_number' is empty"):
        analyzer(spec("aaa", high=0))(analyze)


def test_a_typo_gets_a_hint() -> None:
    analyzer(spec("spectral"))(analyze)
    with pytest.raises(RegistryError, match="Did you mean 'spectral'"):
        get("spectrel")
