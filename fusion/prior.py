"""The prior: published classifiers weighed beside the light model, for as long as no fusion was trained on them.

    log-odds = log-odds of the light model + sum of logit(accuracy) * clip(logit(probability) / SURE, -1, 1)

over the detectors that declare a Prior and measured its probability. A detector that is sure adds what a plain yes
of a detector with that accuracy is worth, log(accuracy / (1 - accuracy)), and never more; one that is not adds less.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import logit

from forensics.registry import MOST_PRIOR_ACCURACY, DetectorSpec, Prior, get
from forensics.types import Evidence, Measured
from fusion.artifacts.artifact import Artifact
from fusion.calibration import Thresholds
from fusion.verdict import Reason

# The log-odds from which a published probability counts as sure (0.953): most were never calibrated, and what they
# say beyond it says more about their training than about the image.
SURE = 3.0


def specs_with_prior(detectors: Iterable[str], artifact: Artifact) -> tuple[DetectorSpec, ...]:
    """Those of the detectors that declare a prior, but for numbers that the artifact's model weighs already."""
    specs = [get(name).spec for name in detectors]
    weighed = artifact.model.schema.names
    return tuple(spec for spec in specs if spec.prior is not None and spec.prior.number not in weighed)


def share(prior: Prior, probability: float) -> float:
    """What a probability of AI adds to the log-odds; at most the log-odds of the prior's accuracy, either way."""
    return float(logit(prior.accuracy) * np.clip(logit(probability) / SURE, -1, 1))


def prior_reasons(specs: Sequence[DetectorSpec], evidence: Evidence) -> tuple[Reason, ...]:
    """One reason for each prior whose probability was measured; their weights are all that they add."""
    measured = {s.detector: s.numbers for s in evidence.signals if isinstance(s, Measured)}
    found = []
    for spec in specs:
        assert spec.prior is not None
        probability = measured.get(spec.name, {}).get(spec.prior.number, np.nan)
        if not np.isnan(probability):
            found.append(_reason(spec, spec.prior, probability))
    return tuple(found)


def _reason(spec: DetectorSpec, prior: Prior, probability: float) -> Reason:
    weight = share(prior, probability)
    direction = "neither" if abs(weight) < 0.005 else "AI" if weight > 0 else "NON-AI"
    sentence = (
        f"{spec.title}: its probability of AI is {probability:.2f}, by a prior weight that no training on your data "
        f"gave; speaks for {direction} ({weight:+.2f} log-odds)."
    )
    return Reason(sentence, spec.title.lower(), weight)


def widened(thresholds: Thresholds) -> Thresholds:
    """The light model's thresholds, at least so far apart that no detector reaches one alone."""
    return Thresholds(max(thresholds.ai, MOST_PRIOR_ACCURACY), min(thresholds.non_ai, 1 - MOST_PRIOR_ACCURACY))


def prior_fingerprint(artifact: Artifact, specs: Sequence[DetectorSpec]) -> str:
    """16 hex digits over the light model's fingerprint and all that its evidence is pooled by."""
    table = [(s.name, s.version, s.prior.number, s.prior.accuracy) for s in specs if s.prior is not None]
    told = ("prior", artifact.fingerprint, SURE, MOST_PRIOR_ACCURACY, table)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
