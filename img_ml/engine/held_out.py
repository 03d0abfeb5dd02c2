"""Detectors that learned in folds: for what a member learned from, the number of the member that did not.

Such a detector gives every member's logit as its embedding (k,), and their mean as its probability. Its `held_out` maps
the mark of each source that it learned from to the member that held the source out.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

# Hex digits of a source's SHA-256 that stand for it beside the weights, for its name may be private. Who guesses the
# name can still tell whether it was there.
MARK = 16


def source_mark(source: str) -> str:
    """What stands for a source beside weights: the beginning of its SHA-256."""
    return hashlib.sha256(source.encode()).hexdigest()[:MARK]


def held_out_probability(
    probability: NDArray[np.float64],
    logits: NDArray[np.float32],
    sources: NDArray[np.str_],
    held_out: Mapping[str, int],
) -> NDArray[np.float64]:
    """The probabilities (n,), where a source was learned from those of the member that held it out.

    `logits` (n, k) are those of the members, NaN where the detector saw nothing.
    """
    members = np.array([held_out.get(source_mark(source), -1) for source in sources.tolist()], dtype=np.intp)
    known = members >= 0
    found = probability.copy()
    found[known] = expit(logits[known, members[known]].astype(np.float64))
    return found
