"""Reasons: the model's own weights, told as plain sentences, strongest first."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fusion.features import Feature, FeatureVector
from fusion.model import FusionModel, Reference
from fusion.verdict import Reason

MOST_REASONS = 5
LEAST_WEIGHT = 0.05


def reasons(model: FusionModel, vector: FeatureVector, contributions: NDArray[np.float64]) -> tuple[Reason, ...]:
    """The aspects that moved the log-odds most, each told by the measured number that moved it most.

    `contributions` (features,) are shares of the calibrated log-odds. Aspects under LEAST_WEIGHT are left out.
    """
    features = model.schema.features
    aspects = dict.fromkeys(feature.aspect for feature in features)
    found = []
    for aspect in aspects:
        members = [i for i, feature in enumerate(features) if feature.aspect == aspect]
        weight = float(contributions[members].sum())
        if abs(weight) < LEAST_WEIGHT:
            continue
        lead = max(members, key=lambda i: contributions[i] * np.sign(weight))
        sentence = _sentence(features[lead], float(vector.values[lead]), model.references[lead], weight)
        found.append(Reason(sentence, aspect, weight))
    return strongest_first(found)[:MOST_REASONS]


def strongest_first(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons by the size of their weight."""
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.weight)))


def _sentence(feature: Feature, value: float, reference: Reference, weight: float) -> str:
    direction = "AI" if weight > 0 else "NON-AI"
    return f"{_told(feature, value, reference, weight)}; speaks for {direction} ({weight:+.2f} log-odds)."


def _told(feature: Feature, value: float, reference: Reference, weight: float) -> str:
    title = feature.aspect[:1].upper() + feature.aspect[1:]
    if np.isnan(value):
        return f"{title}: {feature.meaning} could not be measured"
    if np.isnan(reference.low):
        return f"{title}: {feature.meaning} is {value:.3g}"
    usual = f"{reference.low:.3g} to {reference.high:.3g}"
    # As they are shown: "0.725, above the usual 0.0282 to 0.725" would read as an error.
    shown, low, high = (float(f"{one:.3g}") for one in (value, reference.low, reference.high))
    if low <= shown <= high and weight > 0:
        # A number can be usual and still speak for AI; "within the usual" beside that would read as a contradiction.
        return f"{title}: {feature.meaning} is {value:.3g} (real training images: {usual})"
    place = "below" if shown < low else "above" if shown > high else "within"
    return f"{title}: {feature.meaning} is {value:.3g}, {place} the usual {usual} of real training images"
