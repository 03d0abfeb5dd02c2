"""Numbers of the benchmarks' Markdown tables."""

import math

from benchmarks.support.markdown import table_line, with_interval
from fusion.evaluation.metrics import Estimate
from img_ml.data.bootstrap import Interval


def test_numbers_lose_the_zero_before_the_point_and_nothing_else() -> None:
    whole = Interval(0.0, 1.0)
    assert with_interval(Estimate(0.8041, Interval(0.728, 1.0), whole)) == ".804 [.728, 1.000]"
    assert with_interval(Estimate(-0.0094, Interval(-0.018, 10.5), whole)) == "-.009 [-.018, 10.500]"


def test_what_was_not_measured_is_told_as_such() -> None:
    assert with_interval(None) == "not measured"
    assert with_interval(Estimate(math.nan, Interval(0, 0), Interval(0, 0))) == "not measured"
    assert table_line(["a", "b"]) == "| a | b |"
