"""The engine: learned detectors over a batch; one that cannot load or fails spares everything else."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from torch import nn

from forensics import registry
from forensics.errors import ArtifactError, DeviceError
from forensics.examine import Examined, examine
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import ImageSample, Measured, Signal, Skipped
from img_ml.engine.device import Compile, DeviceUse
from img_ml.engine.engine import Engine
from img_ml.engine.residency import Residency
from img_ml.profiles import Profile
from tests.forensics.pictures import photo, sample_of


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))


def spec(name: str) -> DetectorSpec:
    return DetectorSpec(name, name, 1, (Number(f"{name}_mean", 0, 255, "mean"),), "pixels", "never", tier="full")


class Mean:
    """A detector that fails on black images, and counts its calls."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.sizes: list[int] = []

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        self.sizes.append(len(samples))
        means = [float(sample.pixels.mean()) for sample in samples]
        if 0.0 in means:
            raise RuntimeError("black")
        return [Measured(self._name, {f"{self._name}_mean": mean}, "s") for mean in means]


def engine_with(load: object, name: str = "mean") -> Engine:
    detector(spec(name))(load)
    return Engine(Profile("test", ("ela", name), Path()), Path("models"), "cpu")


def grey(level: int) -> ImageSample:
    return sample_of(np.full((32, 32, 3), level, dtype=np.uint8))


def test_a_batch_goes_through_at_once_and_joins_the_analyzers() -> None:
    loaded = Mean("mean")
    engine = engine_with(lambda setup: loaded)
    evidence = engine.run([grey(10), grey(20), grey(30)])
    assert loaded.sizes == [3]
    assert engine.analyzers == ("ela",)
    assert engine.needs_pixels
    values = [signal.numbers["mean_mean"] for e in evidence for signal in e.signals if signal.detector == "mean"]
    assert values == [10, 20, 30]
    assert "mean" in evidence[0].timings_ms


def test_a_profile_puts_single_detectors_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def loader(name: str) -> Callable[[Setup], Detector]:
        def load(setup: Setup) -> Detector:
            seen[name] = setup.device
            return Mean(name)

        return load

    for name in ("small", "large"):
        detector(spec(name))(loader(name))
    monkeypatch.setattr("img_ml.engine.engine.choose_device", lambda wanted: wanted)
    profile = Profile("test", ("large", "small"), Path(), devices={"large": "cpu", "absent": "cpu"})
    engine = Engine(profile, Path("models"), "mps")
    assert seen == {"small": "mps", "large": "cpu"}
    assert engine.placement == "mps, large on cpu"
    assert engine.plan.of("large") is None, "what is elsewhere takes nothing of the device's memory"
    assert engine.plan.of("small") is not None


def test_a_device_of_the_profile_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    detector(spec("mean"))(lambda setup: Mean("mean"))
    profile = Profile("test", ("mean",), Path(), devices={"mean": "cuda:1"})
    with pytest.raises(DeviceError, match=r"puts mean on cuda:1, which torch does not find: change \[devices\]"):
        Engine(profile, Path("models"), "cpu")


def test_an_image_that_fails_its_batch_fails_alone() -> None:
    engine = engine_with(lambda setup: Mean("mean"))
    signals = [e.signals[-1] for e in engine.run([grey(10), grey(0), grey(30)])]
    assert [isinstance(signal, Measured) for signal in signals] == [True, False, True]
    assert signals[1] == Skipped("mean", "failed: RuntimeError: black")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ArtifactError("There are no weights: pull them."), "There are no weights: pull them."),
        (OSError("disk"), "could not be loaded: OSError: disk"),
    ],
)
def test_a_detector_without_weights_is_skipped_with_the_reason(error: Exception, reason: str) -> None:
    def load(setup: Setup) -> Detector:
        raise error

    engine = engine_with(load)
    assert not engine.needs_pixels
    (evidence,) = engine.run([grey(10)])
    assert evidence.signals[-1] == Skipped("mean", reason)
    assert isinstance(evidence.signals[0], Measured)


def test_weights_are_looked_for_where_the_settings_say() -> None:
    seen: list[Setup] = []

    def load(setup: Setup) -> Detector:
        seen.append(setup)
        return Mean("mean")

    engine_with(load)
    assert seen == [Setup(Path("models"), "cpu", "full", {})]


def test_a_detector_is_told_the_size_of_the_profile_and_its_own_options() -> None:
    seen: list[Setup] = []

    def load(setup: Setup) -> Detector:
        seen.append(setup)
        return Mean("mean")

    detector(spec("mean"))(load)
    profile = Profile("test", ("mean",), Path(), "standard", {"mean": {"weights": "w"}, "ela": {"other": "x"}})
    Engine(profile, Path("models"), "cpu")
    assert seen == [Setup(Path("models"), "cpu", "standard", {"weights": "w"})]


def test_pixels_that_a_detector_needs_must_be_there() -> None:
    engine = engine_with(lambda setup: Mean("mean"))
    sample = sample_of(photo()[:64, :64])
    with pytest.raises(ValueError, match="needs the pixels"):
        engine.complete([Examined(examine(sample, ["ela"]))])


def test_the_light_profile_needs_no_pixels_after_the_analyzers() -> None:
    engine = Engine(Profile("light", ("ela", "noise"), Path()), Path("models"))
    assert not engine.needs_pixels
    assert engine.analyzers == ("ela", "noise")


class WithNetwork(Mean):
    """A detector whose network is a few numbers; notes where they lie when it is called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.module = nn.Linear(2, 2).requires_grad_(False)
        self.places: set[int] = set()
        self.followed: list[tuple[int, str]] = []

    def follow(self, micro_batch: int, compiled: str) -> None:
        self.followed.append((micro_batch, compiled))

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        self.places.add(self.module.weight.data_ptr())
        return super().__call__(samples)


class OnHost(Residency):
    """Moves between two places of the host's memory."""

    made: ClassVar[list["OnHost"]] = []

    def __init__(self, device: str) -> None:
        super().__init__("cpu")
        self.made.append(self)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> dict[str, WithNetwork]:
    """Three detectors of 61 MiB each, 64 MiB a view."""
    monkeypatch.setattr("img_ml.engine.residency.Residency", OnHost)
    # No machine without an accelerator has a device that networks could take turns on.
    monkeypatch.setattr("img_ml.engine.engine.choose_device", lambda wanted: wanted)
    monkeypatch.setattr(OnHost, "made", [])
    made = {name: WithNetwork(name) for name in ("a", "b", "c")}
    for name, one in made.items():
        detector(spec(name))(lambda setup, one=one: one)
    return made


def planned(memory: float | None, compiled: Compile = "off") -> Engine:
    use = DeviceUse(memory, 8, compiled)
    return Engine(Profile("test", ("a", "b", "c"), Path()), Path("models"), "mps", use)


def test_networks_that_do_not_fit_together_take_turns_once_a_batch(three: dict[str, WithNetwork]) -> None:
    engine = planned(1.26, "graphs")
    assert [one.place for one in engine.plan.placed] == ["takes turns", "takes turns", "stays"]
    evidence = engine.run([grey(10), grey(20)])
    assert [signal.numbers for signal in evidence[1].signals] == [{"a_mean": 20}, {"b_mean": 20}, {"c_mean": 20}]
    engine.run([grey(30)])
    (residency,) = OnHost.made
    assert residency.moves == 4
    # A recorded network must stay where it was when it was recorded.
    assert [one.followed for one in three.values()] == [[(2, "off")], [(2, "off")], [(2, "graphs")]]


@pytest.mark.parametrize("memory", [None, 0, 2], ids=str)
def test_nothing_moves_where_everything_fits(three: dict[str, WithNetwork], memory: float | None) -> None:
    engine = planned(memory)
    before = {one.module.weight.data_ptr() for one in three.values()}
    engine.run([grey(10)])
    assert OnHost.made == []
    assert set.union(*(one.places for one in three.values())) == before


def test_a_network_that_fits_in_no_way_is_skipped_with_the_reason(three: dict[str, WithNetwork]) -> None:
    engine = planned(1.1)
    assert engine.learned == ()
    assert engine.missing["a"] == "it does not fit into 1.1 GiB of device memory (IMG_ML_DEVICE_MEMORY)"
