"""What the families share: logarithms and moments that stay finite, correlations that are NaN where undefined."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Numbers = dict[str, float]

# Grey levels, squared: what is weaker than this is nothing.
LEAST_POWER = 1e-4


def log_power(values: Floats) -> float:
    """The logarithm of the mean square, never below that of LEAST_POWER; NaN of no values."""
    return math.log(float(np.mean(np.square(values))) + LEAST_POWER) if values.size else math.nan


def log_kurtosis(values: Floats) -> float:
    """The logarithm of the kurtosis about zero (log 3 for normal values); NaN where all values are nearly zero."""
    square = np.square(values, dtype=np.float64)
    power = float(square.mean())
    return math.log(float(np.square(square).mean()) / power**2) if power > LEAST_POWER else math.nan


def correlation(first: Floats, second: Floats) -> float:
    """Pearson correlation; NaN where one of them is nearly constant, or there are no values."""
    if not first.size:
        return math.nan
    a, b = first - first.mean(), second - second.mean()
    power = float(np.mean(a * a)), float(np.mean(b * b))
    if min(power) <= LEAST_POWER:
        return math.nan
    return float(np.clip(np.mean(a * b) / math.sqrt(power[0] * power[1]), -1, 1))
