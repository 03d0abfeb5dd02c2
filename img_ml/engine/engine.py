"""The engine: a profile over a batch, samples in, evidence out; one failing detector or image never fails another.

`python -m img_ml.engine plan PROFILE` tells how its networks share a device.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from forensics.errors import DeviceError
from forensics.examine import Examined, examine
from forensics.registry import Detector, Registered, Setup, get
from forensics.types import Evidence, ImageSample, Measured, Signal
from img_ml.engine.abilities import Finish, FollowsDevice
from img_ml.engine.device import DeviceUse, choose_device, limit_memory, memory_of
from img_ml.engine.loaded import LearnedDetector
from img_ml.engine.memory_plan import MemoryPlan, Placed, demands, plan
from img_ml.profiles import Profile

_ALL_OF_IT = DeviceUse()


class Engine:
    """Runs the detectors of one profile.

    `detectors` names all of the profile's, `as_published` is how images are to be read for it, `devices` where single
    detectors run that the profile puts elsewhere. `analyzers` are the per-image ones, which callers may run elsewhere
    (a process pool) beforehand; `learned` are the learned ones that are loaded, `missing` the others with the reason,
    `present` all that can measure. `needs_pixels` says whether a learned one needs the samples after the analyzers.
    `marks` tells the weights of a learned detector (its `weights_sha256`, where it has one). `plan` is how they share
    the `device`, `loaded` the learned detectors themselves, `held_out` what those that learned in folds held out.
    """

    def __init__(self, profile: Profile, weights: Path, device: str = "auto", use: DeviceUse = _ALL_OF_IT) -> None:
        """`weights` is the folder of pulled weights."""
        self.detectors, self.as_published = profile.detectors, profile.as_published
        chosen = [get(name) for name in profile.detectors]
        self.analyzers = tuple(entry.spec.name for entry in chosen if entry.analyze is not None)
        learned = [entry for entry in chosen if entry.load is not None]
        device = choose_device(device) if any(not entry.on_cpu for entry in learned) else "cpu"
        self.device = device
        self.devices = {name: one for name, one in profile.devices.items() if name in profile.detectors}
        self.plan = _planned(profile, weights, device, use)
        self._learned = _loaded(learned, profile, weights, device, self.plan, use)
        # On a CPU nothing runs by itself while the next network is prepared.
        self._overlaps = device != "cpu"
        self.loaded = tuple(one for one in self._learned if not one.reason)
        self.learned = tuple(one.name for one in self.loaded)
        self.missing = {one.name: one.reason for one in self._learned if one.reason}
        self.held_out = {one.name: one.held_out for one in self.loaded if one.held_out}
        self.present = tuple(name for name in profile.detectors if name not in self.missing)
        self.marks = {one.name: one.mark for one in self._learned}
        self.needs_pixels = bool(self.learned)

    @property
    def placement(self) -> str:
        """The device for people: the engine's, and what is elsewhere."""
        return ", ".join([self.device, *(f"{name} on {device}" for name, device in self.devices.items())])

    def run(self, samples: Sequence[ImageSample]) -> list[Evidence]:
        """All signals of the profile about each sample, in order."""
        return self.complete([Examined(examine(sample, self.analyzers), sample) for sample in samples])

    def complete(self, examined: Sequence[Examined]) -> list[Evidence]:
        """The evidence with the learned detectors' signals added; `sample` must be there when `needs_pixels`."""
        samples = [item.sample for item in examined]
        evidence = [item.evidence for item in examined]
        started = [self._timed(one, samples) for one in self._learned]
        for one, (finish, spent) in zip(self._learned, started, strict=True):
            since = time.perf_counter()
            signals = finish()
            share = (spent + time.perf_counter() - since) * 1000 / max(len(examined), 1)
            evidence = [
                replace(e, signals=(*e.signals, signal), timings_ms={**e.timings_ms, one.name: share})
                for e, signal in zip(evidence, signals, strict=True)
            ]
        return evidence

    def located(self, sample: ImageSample, signals: Sequence[Signal]) -> tuple[Signal, ...]:
        """The signals about the sample, with the maps that detectors draw only when somebody asks for them."""
        maps = {one.name: one.located(sample) for one in self.loaded}
        return tuple(
            replace(signal, heatmap=maps[signal.detector])
            if isinstance(signal, Measured) and maps.get(signal.detector) is not None
            else signal
            for signal in signals
        )

    def _timed(self, one: LearnedDetector, samples: Sequence[ImageSample | None]) -> tuple[Finish, float]:
        """What is left to do once the device has the work, and the seconds it took to get there."""
        if not self._overlaps:
            return partial(one.signals, samples), 0.0
        since = time.perf_counter()
        return one.started(samples), time.perf_counter() - since


def _planned(profile: Profile, weights: Path, device: str, use: DeviceUse) -> MemoryPlan:
    demanded = demands(profile, low_precision=device.startswith("cuda"), folder=weights)
    memory = memory_of(device, use.memory) if demanded else None
    limit_memory(device, memory if use.memory else None)
    return plan(demanded, memory, use.views)


def _loaded(
    entries: Sequence[Registered], profile: Profile, weights: Path, device: str, plan: MemoryPlan, use: DeviceUse
) -> tuple[LearnedDetector, ...]:
    """The learned detectors, each in its place."""
    found = []
    residency = None
    for entry in entries:
        name = entry.spec.name
        placed = plan.of(name)
        own = "cpu" if entry.on_cpu else _device_of(name, profile, device)
        setup = Setup(weights, own, profile.tier, profile.options.get(name, {}))
        one = LearnedDetector(entry, setup, _refusal(plan, placed))
        found.append(one)
        module = one.detector.module if isinstance(one.detector, FollowsDevice) else None
        turns = module is not None and placed is not None and placed.place == "takes turns"
        _configure(one.detector, placed.micro_batch if placed is not None else use.views, use, turns=turns)
        if module is not None and turns:
            from img_ml.engine.residency import Residency

            residency = residency or Residency(device)
            residency.share(name, module)
            one.present = partial(residency.present, name)
    return tuple(found)


def _device_of(name: str, profile: Profile, device: str) -> str:
    """The engine's device, or the one that the profile has for the detector; DeviceError where it is not there."""
    own = profile.devices.get(name)
    try:
        return device if own is None else choose_device(own)
    except DeviceError:
        raise DeviceError(
            f"The profile {profile.name} puts {name} on {own}, which torch does not find: change [devices] in its file."
        ) from None


def _refusal(plan: MemoryPlan, placed: Placed | None) -> str:
    if placed is None or placed.place != "does not fit":
        return ""
    return f"it does not fit into {plan.memory:.3g} GiB of device memory (IMG_ML_DEVICE_MEMORY)"


def _configure(detector: Detector | None, micro_batch: int, use: DeviceUse, *, turns: bool) -> None:
    if isinstance(detector, FollowsDevice):
        # What is recorded reads the weights from where they were.
        detector.follow(micro_batch, "off" if turns and use.compiled == "graphs" else use.compiled)
