"""Bootstrap intervals: they widen with what varies between groups, and there is none where nothing can vary."""

import numpy as np

from img_ml.data.bootstrap import intervals

RIGHT = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0])


def share(of: np.ndarray):
    def measure(weight: np.ndarray) -> float:
        inside = weight[of]
        return float((RIGHT[of] * inside).sum() / inside.sum()) if inside.sum() else float("nan")

    return measure


def test_an_interval_spans_what_differs_between_groups() -> None:
    found = intervals({"all": share(np.arange(6))}, np.array([0, 0, 1, 1, 2, 2]), 0)["all"]
    assert 0.5 <= found.low < found.high <= 1


def test_what_rests_on_one_group_has_no_interval() -> None:
    one_group = share(np.array([2, 3]))
    found = intervals({"one": one_group}, np.array([0, 0, 1, 1, 2, 2]), 0)["one"]
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_a_rate_of_zero_in_every_group_keeps_its_interval() -> None:
    def never(weight: np.ndarray) -> float:
        return 0.0 if weight[:4].sum() else float("nan")

    found = intervals({"none": never}, np.array([0, 0, 1, 1, 2, 2]), 0)["none"]
    assert (found.low, found.high) == (0.0, 0.0)
