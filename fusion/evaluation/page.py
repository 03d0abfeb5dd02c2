"""The HTML report: one file that needs nothing else, no network and no script."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from fusion.evaluation.evaluation import Evaluation, warnings_of
from fusion.evaluation.figures import figures
from fusion.evaluation.gallery import worst
from fusion.evaluation.single_detectors import SingleDetector
from fusion.evaluation.tables import beside, comparisons


def page(
    evaluations: Sequence[Evaluation],
    dataset: Path,
    split: str,
    others: Sequence[SingleDetector] = (),
    paths: Mapping[str, Path] | None = None,
) -> str:
    """The report of one or several artifacts, and of other detectors, on the same images.

    `paths` are the images' files by their key, for the gallery of errors.
    """
    environment = Environment(
        loader=PackageLoader("fusion.evaluation", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    environment.tests["nan"] = math.isnan
    template = environment.get_template("page.html.j2")
    shown = {"evaluations": evaluations, "alone": beside(evaluations, others), "figures": figures(evaluations)}
    galleries = {e.artifact: worst(e.plain, paths or {}) for e in evaluations}
    more = {"comparisons": comparisons(evaluations), "galleries": galleries, "warnings": warnings_of(evaluations)}
    return template.render(**shown, **more, dataset=dataset.name, split=split)
