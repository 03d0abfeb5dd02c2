"""The engine: a profile over a batch, samples in, evidence out; one failing detector or image never fails another."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from forensics.errors import ImgMlError
from forensics.examine import Examined, checked, examine
from forensics.registry import Detector, Registered, Setup, get
from forensics.types import Evidence, ImageSample, Signal, Skipped
from img_ml.device import choose_device
from img_ml.profiles import Profile


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A learned detector of the profile: callable, or the reason why it is not."""

    entry: Registered
    detector: Detector | None
    reason: str = ""


class Engine:
    """Runs the detectors of one profile.

    `detectors` names all of the profile's. `analyzers` are the per-image ones, which callers may run elsewhere (a
    process pool) beforehand; `learned` are the learned ones that are loaded, `missing` the others with the reason,
    `present` all that can measure. `needs_pixels` says whether a learned one needs the samples after the analyzers.
    `marks` tells the weights of a learned detector (its `weights_sha256`, where it has one).
    """

    def __init__(self, profile: Profile, weights: Path, device: str = "auto") -> None:
        """`weights` is the folder of pulled weights."""
        self.detectors = profile.detectors
        chosen = [get(name) for name in profile.detectors]
        self.analyzers = tuple(entry.spec.name for entry in chosen if entry.analyze is not None)
        learned = [entry for entry in chosen if entry.load is not None]
        device = choose_device(device) if learned else "cpu"
        self._learned = tuple(
            _load(entry, Setup(weights, device, profile.tier, profile.options.get(entry.spec.name, {})))
            for entry in learned
        )
        self.learned = tuple(loaded.entry.spec.name for loaded in self._learned if loaded.detector is not None)
        self.missing = {loaded.entry.spec.name: loaded.reason for loaded in self._learned if loaded.detector is None}
        self.present = tuple(name for name in profile.detectors if name not in self.missing)
        self.marks = {
            loaded.entry.spec.name: str(getattr(loaded.detector, "weights_sha256", ""))[:16] for loaded in self._learned
        }
        self.needs_pixels = bool(self.learned)

    def run(self, samples: Sequence[ImageSample]) -> list[Evidence]:
        """All signals of the profile about each sample, in order."""
        return self.complete([Examined(examine(sample, self.analyzers), sample) for sample in samples])

    def complete(self, examined: Sequence[Examined]) -> list[Evidence]:
        """The evidence with the learned detectors' signals added; `sample` must be there when `needs_pixels`."""
        evidence = [item.evidence for item in examined]
        for loaded in self._learned:
            started = time.perf_counter()
            signals = _run(loaded, [item.sample for item in examined])
            share = (time.perf_counter() - started) * 1000 / max(len(examined), 1)
            name = loaded.entry.spec.name
            evidence = [
                replace(e, signals=(*e.signals, signal), timings_ms={**e.timings_ms, name: share})
                for e, signal in zip(evidence, signals, strict=True)
            ]
        return evidence


def _load(entry: Registered, setup: Setup) -> _Loaded:
    assert entry.load is not None
    try:
        return _Loaded(entry, entry.load(setup))
    except ImgMlError as error:
        return _Loaded(entry, None, str(error))
    except Exception as error:  # noqa: BLE001 - the boundary: a broken model file may not stop the others
        return _Loaded(entry, None, f"could not be loaded: {type(error).__name__}: {error}")


def _run(loaded: _Loaded, samples: Sequence[ImageSample | None]) -> list[Signal]:
    name = loaded.entry.spec.name
    detector = loaded.detector
    if detector is None:
        return [Skipped(name, loaded.reason)] * len(samples)
    present = [sample for sample in samples if sample is not None]
    if len(present) != len(samples):
        raise ValueError(f"{name} needs the pixels of every image of the batch")
    try:
        return [checked(loaded.entry, signal) for signal in detector(present)]
    except Exception as error:  # noqa: BLE001 - the boundary: find the image at fault, spare its neighbours
        if len(present) == 1:
            return [Skipped(name, f"failed: {type(error).__name__}: {error}")]
        return [signal for sample in present for signal in _run(loaded, [sample])]
