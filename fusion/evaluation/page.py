"""The HTML report: one file that needs nothing else, no network and no script."""

import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from fusion.evaluation.evaluation import Evaluation
from fusion.evaluation.figures import figures
from fusion.evaluation.single_detectors import SingleDetector
from fusion.evaluation.tables import beside


def page(evaluations: Sequence[Evaluation], dataset: Path, split: str, others: Sequence[SingleDetector] = ()) -> str:
    """The report of one or several artifacts, and of other detectors, on the same images."""
    environment = Environment(
        loader=PackageLoader("fusion.evaluation", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    environment.tests["nan"] = math.isnan
    template = environment.get_template("page.html.j2")
    shown = {"evaluations": evaluations, "alone": beside(evaluations, others), "figures": figures(evaluations)}
    return template.render(**shown, dataset=dataset.name, split=split)
