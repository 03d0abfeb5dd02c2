"""The engine: a profile over a batch, samples in, evidence out; one failing detector or image never fails another."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from forensics.examine import Examined, examine
from forensics.registry import Setup, get
from forensics.types import Evidence, ImageSample
from img_ml.device import choose_device
from img_ml.learned import Learned
from img_ml.profiles import Profile


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
            Learned(entry, Setup(weights, device, profile.tier, profile.options.get(entry.spec.name, {})))
            for entry in learned
        )
        self.learned = tuple(one.name for one in self._learned if not one.reason)
        self.missing = {one.name: one.reason for one in self._learned if one.reason}
        self.present = tuple(name for name in profile.detectors if name not in self.missing)
        self.marks = {one.name: one.mark for one in self._learned}
        self.needs_pixels = bool(self.learned)

    def run(self, samples: Sequence[ImageSample]) -> list[Evidence]:
        """All signals of the profile about each sample, in order."""
        return self.complete([Examined(examine(sample, self.analyzers), sample) for sample in samples])

    def complete(self, examined: Sequence[Examined]) -> list[Evidence]:
        """The evidence with the learned detectors' signals added; `sample` must be there when `needs_pixels`."""
        evidence = [item.evidence for item in examined]
        for one in self._learned:
            started = time.perf_counter()
            signals = one.signals([item.sample for item in examined])
            share = (time.perf_counter() - started) * 1000 / max(len(examined), 1)
            evidence = [
                replace(e, signals=(*e.signals, signal), timings_ms={**e.timings_ms, one.name: share})
                for e, signal in zip(evidence, signals, strict=True)
            ]
        return evidence
