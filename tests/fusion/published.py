"""Published classifiers for tests: their probability is what a test says, and each declares a prior."""

from collections.abc import Sequence

import pytest

from forensics import registry
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Prior, Setup, detector
from forensics.types import ImageSample, Measured, Signal, Skipped


def spec(name: str, accuracy: float, title: str = "") -> DetectorSpec:
    return DetectorSpec(
        name=name,
        title=title or name.capitalize(),
        version=1,
        numbers=(Number(f"{name}_prob", 0, 1, f"probability of AI by {name}"),),
        looks_at="nothing",
        fails_when="always: it is a double",
        tier="full",
        source="this test",
        prior=Prior(f"{name}_prob", accuracy, "a figure made up for a test"),
    )


# Named as no detector ever will be.
STRONG, WEAK, ABSENT = (
    spec("test_strong", 0.75),
    spec("test_weak", 0.596),
    spec("test_absent", 0.7),
)


class Published:
    """Gives every image the probability `says`; None is a skipped one."""

    def __init__(self, name: str, says: float | None) -> None:
        self.name = name
        self.says = says

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        if self.says is None:
            return [Skipped(self.name, "it does not like the image")] * len(samples)
        return [Measured(self.name, {f"{self.name}_prob": self.says}, "It says so.")] * len(samples)


def without_weights(setup: Setup) -> Detector:
    raise WeightsError("test_absent has no weights: python -m img_ml.weights pull test_absent")


def register_all(strong: float | None = 0.99, weak: float | None = 0.99) -> tuple[Published, Published]:
    """Two detectors that measure, and one whose weights are missing."""
    loaded = Published("test_strong", strong), Published("test_weak", weak)
    detector(STRONG)(lambda setup: loaded[0])
    detector(WEAK)(lambda setup: loaded[1])
    detector(ABSENT)(without_weights)
    return loaded


def register(monkeypatch: pytest.MonkeyPatch) -> tuple[Published, Published]:
    """The same for the time of a test."""
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    return register_all()
