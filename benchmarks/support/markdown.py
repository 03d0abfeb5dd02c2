"""Lines and numbers of the Markdown tables that benchmarks print."""

import math
import re
from collections.abc import Sequence

from fusion.evaluation.metrics import Estimate


def table_line(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def with_interval(one: Estimate | None) -> str:
    """A number between -1 and 1 with its interval over sources, written as .123; "not measured" for none and NaN."""
    if one is None or math.isnan(one.value):
        return "not measured"
    told = f"{one.value:.3f} [{one.sources.low:.3f}, {one.sources.high:.3f}]"
    return re.sub(r"\b0\.", ".", told)
