"""The detector registry: what each detector measures, and how to get hold of it."""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from forensics.errors import RegistryError
from forensics.types import Heatmap, ImageSample, Pixels, Signal

Tier = Literal["light", "standard", "full"]
# What a detector's numbers come from. No fusion weighs metadata: anybody can write it, and anybody can strip it.
Reads = Literal["pixels", "metadata"]
HeadKind = Literal["svm", "svm_linear", "linear", "mlp"]
# Each profile holds those before it.
TIERS: tuple[Tier, ...] = ("light", "standard", "full")
# Also the prior fusion's threshold for AI: one detector alone, however sure, stays below it.
MOST_PRIOR_ACCURACY = 0.9


@dataclass(frozen=True, slots=True)
class Number:
    """One named number of a detector: its range and what it means.

    `meaning` is a noun phrase that finishes "what was weighed: ...". `aspect` groups numbers that tell one story in
    the reasons. `headline` numbers stand at the top level of the verdict. `feature` numbers are offered to the fusion.
    """

    name: str
    low: float
    high: float
    meaning: str
    aspect: str = ""
    headline: bool = False
    feature: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """What the fusion trains on a detector's embedding: a classifier of that kind, whose probability is `number`.

    Kinds: an SVM with an RBF kernel or a linear one, a logistic regression (`linear`), a network. Users may choose
    another when they train.
    The detector leaves `number` NaN and gives the embedding; a trained head of the artifact fills it in. Without one,
    a detector that has other numbers keeps those, and another is skipped.
    """

    number: str
    kind: HeadKind


@dataclass(frozen=True, slots=True)
class Prior:
    """How far a published classifier is believed before a fusion was trained on it (fusion/prior.py).

    `number` is its probability of AI. `accuracy`, above 0.5 and below MOST_PRIOR_ACCURACY, is the mean accuracy to
    expect of it on images of unknown origin: a measurement of others on benchmarks it was not made for, not its
    authors' own table. `reason` says where that figure is from, as a phrase.
    """

    number: str
    accuracy: float
    reason: str


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What a detector is. Raise `version` whenever its numbers or its embedding change for the same bytes."""

    name: str
    title: str
    version: int
    numbers: tuple[Number, ...]
    looks_at: str
    fails_when: str
    tier: Tier = "light"
    source: str = ""
    head: Head | None = None
    prior: Prior | None = None
    reads: Reads = "pixels"

    @property
    def offered(self) -> tuple[Number, ...]:
        """The numbers that a fusion may weigh: none of a detector that reads metadata, whatever they say themselves."""
        return () if self.reads == "metadata" else tuple(n for n in self.numbers if n.feature)

    @property
    def probability(self) -> Number | None:
        """The headline number that is a probability of AI; None where there is none."""
        told = (n for n in self.numbers if n.headline and (n.low, n.high) == (0, 1))
        return next((n for n in told if n.meaning.startswith("probability of AI")), None)


class Detector(Protocol):
    """A loaded learned detector: a batch in, one signal per sample out, in order."""

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        """The signals of the batch."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """What a learned detector is loaded with: where its weights lie, what it runs on, what the profile chose.

    `weights` is the folder of pulled weights. `device` is a torch device string, `tier` the size of the profile,
    `options` the profile's choices for this detector by name (a detector refuses those it does not know).
    """

    weights: Path
    device: str = "cpu"
    tier: Tier = "full"
    options: Mapping[str, str] = field(default_factory=dict)


class Weights(Protocol):
    """A set of weights that a detector can be loaded with; what there is to know of one is the loader's affair."""

    @property
    def name(self) -> str:
        """Its name, which no other set has."""
        ...


Analyze = Callable[[ImageSample], Signal]
Load = Callable[[Setup], Detector]
Picture = Callable[[ImageSample], Pixels]
Draw = Callable[[ImageSample], Heatmap | None]


@dataclass(frozen=True, slots=True)
class Registered:
    """A registry entry: an analyzer (per image, no weights) or the loader of a learned detector.

    `picture` shows people what the detector sees in an image, any size of RGB; it needs no weights. `heatmap` draws
    the map of an analyzer whose numbers need less than that; it is asked only where somebody wants to see it. A learned
    detector `on_cpu` runs there alone and without torch, whatever device the others run on. `weights`: all that it can
    be loaded with.
    """

    spec: DetectorSpec
    analyze: Analyze | None = None
    load: Load | None = None
    picture: Picture | None = None
    heatmap: Draw | None = None
    on_cpu: bool = False
    weights: tuple[Weights, ...] = ()


_ENTRIES: dict[str, Registered] = {}


def analyzer(spec: DetectorSpec, *, heatmap: Draw | None = None) -> Callable[[Analyze], Analyze]:
    """Register a function of one image as the analyzer `spec` describes."""

    def decorate(function: Analyze) -> Analyze:
        _add(Registered(spec, analyze=function, heatmap=heatmap))
        return function

    return decorate


def detector(
    spec: DetectorSpec, *, weights: tuple[Weights, ...] = (), picture: Picture | None = None, on_cpu: bool = False
) -> Callable[[Load], Load]:
    """Register a loader `Setup -> Detector`; heavy imports belong inside it, ArtifactError says what it lacks."""

    def decorate(load: Load) -> Load:
        _add(Registered(spec, load=load, picture=picture, on_cpu=on_cpu, weights=weights))
        return load

    return decorate


def get(name: str) -> Registered:
    """The entry of that name; RegistryError with a hint where there is none."""
    try:
        return _ENTRIES[name]
    except KeyError:
        close = difflib.get_close_matches(name, _ENTRIES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise RegistryError(f"There is no detector named {name!r}.{hint}") from None


def entries() -> tuple[Registered, ...]:
    """Every registered detector, ordered by name."""
    return tuple(_ENTRIES[name] for name in sorted(_ENTRIES))


def discover(package: str) -> None:
    """Import every public module of `package`, so that the detectors in it register themselves."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.name.startswith("_"):
            continue
        importlib.import_module(f"{package}.{module.name}")


def _add(entry: Registered) -> None:
    spec = entry.spec
    if spec.name in _ENTRIES:
        raise RegistryError(f"Two detectors are named {spec.name!r}; names must be unique.")
    if spec.head is not None and spec.head.number not in {n.name for n in spec.numbers}:
        raise RegistryError(f"The head of {spec.name!r} gives {spec.head.number!r}, which it does not declare.")
    _check_prior(spec)
    known = {weights.name: other.spec.name for other in _ENTRIES.values() for weights in other.weights}
    for weights in entry.weights:
        if weights.name in known:
            raise RegistryError(f"{spec.name!r} and {known[weights.name]!r} both have weights named {weights.name!r}.")
    taken = {n.name: other.spec.name for other in _ENTRIES.values() for n in other.spec.numbers}
    for number in spec.numbers:
        if number.name in taken:
            raise RegistryError(
                f"{spec.name!r} and {taken[number.name]!r} both measure {number.name!r}; names must be unique."
            )
        if not number.low < number.high:
            raise RegistryError(f"The range of {number.name!r} is empty: [{number.low}, {number.high}].")
        taken[number.name] = spec.name
    _ENTRIES[spec.name] = entry


def _check_prior(spec: DetectorSpec) -> None:
    if spec.prior is None:
        return
    ranges = {n.name: (n.low, n.high) for n in spec.numbers}
    if ranges.get(spec.prior.number) != (0, 1):
        raise RegistryError(
            f"The prior of {spec.name!r} is about {spec.prior.number!r}, which it does not declare as a probability."
        )
    if spec.head is not None and spec.head.number == spec.prior.number:
        raise RegistryError(
            f"{spec.prior.number!r} of {spec.name!r} comes from a trained head and cannot have a prior."
        )
    if not 0.5 < spec.prior.accuracy < MOST_PRIOR_ACCURACY:
        raise RegistryError(f"The prior accuracy of {spec.name!r} must be between 0.5 and {MOST_PRIOR_ACCURACY}.")
