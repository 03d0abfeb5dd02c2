"""The HTML report: one file that needs nothing else, no network and no script."""

import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from fusion.evaluation.evaluation import Evaluation
from fusion.evaluation.figures import figures


def page(evaluations: Sequence[Evaluation], dataset: Path, split: str) -> str:
    """The report of one or several artifacts on the same images."""
    environment = Environment(
        loader=PackageLoader("fusion.evaluation", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    environment.tests["nan"] = math.isnan
    template = environment.get_template("page.html.j2")
    return template.render(evaluations=evaluations, figures=figures(evaluations), dataset=dataset.name, split=split)
