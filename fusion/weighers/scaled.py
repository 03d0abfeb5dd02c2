"""What models that cannot take NaN share: filling gaps, marking them, scaling; and explaining through all of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Values further out than this many standard deviations are pulled in: a broken measurement may not outvote the rest.
_CLIP = 6.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """From f features with gaps to 2 f inputs: the clipped standard scores, 0 where not measured, then the gaps.

    `mean` and `spread` (f,) are of the measured training values, `gaps` (f,) the share of gaps in training.
    """

    mean: NDArray[np.float64] = field(repr=False)
    spread: NDArray[np.float64] = field(repr=False)
    gaps: NDArray[np.float64] = field(repr=False)

    def inputs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inputs (n, 2 f) of vectors (n, f)."""
        unknown = np.isnan(values)
        scores = np.clip((np.where(unknown, self.mean, values) - self.mean) / self.spread, -_CLIP, _CLIP)
        return np.concatenate([scores, unknown - self.gaps], axis=1)


def fit_scaling(values: NDArray[np.float64]) -> Scaling:
    """The scaling of training vectors (n, f); every feature must be measured at least once."""
    spread = np.nanstd(values, axis=0)
    return Scaling(np.nanmean(values, axis=0), np.where(spread > 0, spread, 1.0), np.isnan(values).mean(axis=0))


def by_feature(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of 2 f inputs as shares of f features: a value's and its gap's together."""
    half = shares.shape[1] // 2
    return np.asarray(shares[:, :half] + shares[:, half:])
