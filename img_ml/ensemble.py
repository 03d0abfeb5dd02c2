"""The contest's ensemble: detectors with a probability, each by votes, whose logits are averaged or labels counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from forensics.errors import RegistryError, WeightsError
from forensics.registry import Registered, entries
from forensics.types import ImageSample, Measured
from img_ml.detectors._votes import Combine, Voting
from img_ml.engine.device import choose_device
from img_ml.engine.engine import Engine
from img_ml.profiles import Profile

ENSEMBLED = "ensembled"
# What the contest's commands are called, and the detectors behind them.
APPS: Mapping[str, tuple[str, ...]] = {
    "resnet": ("ai_art_resnet",),
    "resnet_ft": ("resnet_ft",),
    "resnet_hf": ("resnet_hf",),
    "aekl_clf": ("aekl_clf",),
    ENSEMBLED: ("resnet_ft", "resnet_hf", "aekl_clf"),
}
# A probability that was rounded to 0 or 1 must not outvote all others.
_SUREST = 1e-6


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Loaded members: their detectors by name, and the number of each that is its probability of AI."""

    names: tuple[str, ...]
    numbers: tuple[str, ...]
    engine: Engine

    def probabilities(self, samples: Sequence[ImageSample]) -> list[tuple[float, ...]]:
        """The probability that each member gives each image, NaN where it measured nothing."""
        if not samples:
            return []
        found = []
        for evidence in self.engine.run(samples):
            told: dict[str, float] = {}
            for signal in evidence.signals:
                told |= signal.numbers if isinstance(signal, Measured) else {}
            found.append(tuple(told.get(number, float("nan")) for number in self.numbers))
        return found


def load_app(app: str, voting: Voting, weights: Path, device: str) -> Ensemble:
    """The members of an app, each with those votes.

    Raises RegistryError where there is no such app, WeightsError where a member cannot be loaded, with what to do.
    """
    names = APPS.get(app, (app,))
    known = {entry.spec.name: entry for entry in entries()}
    for name in names:
        if name not in known or _number(known[name]) is None:
            raise RegistryError(f"There is no app {app!r}: choose {', '.join(sorted({*APPS, *_with_probability()}))}.")
    options = dict.fromkeys(names, voting.chosen) if voting.chosen else {}
    profile = Profile(app, tuple(sorted(names)), Path(), options=options)
    engine = Engine(profile, weights, choose_device(device))
    for name in names:
        if name in engine.missing:
            what = f"{app} cannot be used" if app == name else f"{app} needs {name}, which cannot be used"
            raise WeightsError(f"{what}: {engine.missing[name]}")
    numbers = tuple(number for name in names if (number := _number(known[name])) is not None)
    return Ensemble(names, numbers, engine)


def mean_logit(probabilities: NDArray[np.float64]) -> float:
    """The probability that the mean of the members' logits stands for; those that are NaN are left out."""
    known = probabilities[~np.isnan(probabilities)]
    if not len(known):
        return float("nan")
    return float(expit(logit(np.clip(known, _SUREST, 1 - _SUREST)).mean()))


def combined(probabilities: NDArray[np.float64], combine: Combine) -> float:
    """What the members say together: `mean_logit`, or the share of those that call the image AI."""
    known = probabilities[~np.isnan(probabilities)]
    if combine == "logits" or len(known) <= 1:
        return mean_logit(probabilities)
    return float((known > 0.5).mean())


def _with_probability() -> list[str]:
    return [entry.spec.name for entry in entries() if entry.load is not None and _number(entry) is not None]


def _number(entry: Registered) -> str | None:
    """The probability of AI that a loaded detector gives by itself."""
    number = entry.spec.probability
    return None if entry.load is None or entry.spec.head is not None or number is None else number.name
