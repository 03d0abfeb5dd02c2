"""One evaluation: everything that is measured of an artifact on a dataset, as one value that JSON can hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from fusion.artifacts.artifact import LEARNED_DIGITS, Artifact
from fusion.artifacts.weights_binding import of_other_weights
from fusion.evaluation.conditions import AS_IS, CONDITIONS
from fusion.evaluation.confusion import Called, confusion
from fusion.evaluation.groups import Group, by_format, by_generator, by_source
from fusion.evaluation.measures import measures
from fusion.evaluation.metrics import Estimate, Ranking, balanced_accuracy, estimate, estimates, mixed_sources, share
from fusion.evaluation.scored import ScoredTable, format_gap, score
from fusion.evaluation.single_detectors import SingleDetector, alone, fused_alone, heads_alone
from fusion.training.table import FeatureTable

# An interval that resamples fewer sources than this says next to nothing.
FEW_SOURCES = 5
# With a larger difference, the format alone is right more often than six times in ten.
FORMAT_GAP = 0.2
COVERAGES = tuple(round(0.1 * step, 1) for step in range(1, 11))


@dataclass(frozen=True, slots=True)
class Condition:
    """What one change does, against the same images as they are.

    `changed` is the share of images whose label changes at all, `flipped` that of labels that change between AI and
    NON-AI, `moved` the mean absolute change of the probability.
    """

    name: str
    auc: Estimate
    changed: Estimate
    flipped: Estimate
    moved: float
    images: int


@dataclass(frozen=True, slots=True)
class Abstention:
    """Answering only the surest images: the balanced accuracy at 0.5 on that share of them."""

    coverage: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measurements of one artifact; `alone` has a row for the fusion and one for each probability beside it."""

    artifact: str
    fingerprint: str
    counts: dict[str, int]
    measures: dict[str, Estimate]
    alone: list[SingleDetector]
    confusion: list[Called]
    abstention: list[Abstention]
    conditions: list[Condition]
    generators: list[Group]
    sources: list[Group]
    formats: list[Group]
    warnings: list[str]
    plain: ScoredTable

    @property
    def sources_are_images(self) -> bool:
        """Whether every source is one image, so that a table by source would be one by image."""
        return all(group.ai + group.not_ai == 1 for group in self.sources)


def warnings_of(evaluations: Sequence[Evaluation]) -> list[str]:
    """Every warning once, with the artifacts that it is about."""
    about: dict[str, list[str]] = {}
    for one in evaluations:
        for warning in one.warnings:
            about.setdefault(warning, []).append(one.artifact)
    return [f"{', '.join(names)}: {warning}" for warning, names in about.items()]


def evaluate(name: str, artifact: Artifact, table: FeatureTable, inherited: frozenset[str] = frozenset()) -> Evaluation:
    """The evaluation of an artifact on a table that holds each image under every condition.

    `inherited` are images, as in Artifact.learned, that the networks below it learned from.
    """
    scored = score(artifact, table)
    views = {condition: scored.where(table.view == view.name) for condition, view in CONDITIONS.items()}
    plain = views[AS_IS]
    kinds = {str(kind): int((plain.table.kind == kind).sum()) for kind in np.unique(plain.table.kind)}
    return Evaluation(
        artifact=name,
        fingerprint=artifact.fingerprint,
        counts=kinds | {"sources": len(np.unique(plain.table.source))},
        measures=measures(plain),
        alone=[
            fused_alone(name, plain),
            *heads_alone(name, artifact, plain),
            *alone(table.where(table.view == CONDITIONS[AS_IS].name)),
        ],
        confusion=confusion(plain),
        abstention=abstention(plain),
        conditions=[_condition(condition, view, plain) for condition, view in views.items() if condition != AS_IS],
        generators=by_generator(plain),
        sources=by_source(plain),
        formats=by_format(plain),
        warnings=_warnings(plain, artifact, inherited - artifact.learned),
        plain=plain,
    )


def abstention(scored: ScoredTable) -> list[Abstention]:
    """Balanced accuracy on the surest tenth, the surest two tenths, ... and all images."""
    sureness = np.abs(logit(np.clip(scored.score, 1e-9, 1 - 1e-9)))
    order = np.argsort(-sureness, kind="stable")
    found = []
    for coverage in COVERAGES:
        part = scored.where(order[: max(round(coverage * len(order)), 1)])
        right = balanced_accuracy(part.score >= 0.5, part.table.label)
        found.append(Abstention(coverage, estimate(right, part.table.source)))
    return found


def _condition(name: str, changed: ScoredTable, plain: ScoredTable) -> Condition:
    before, after = _paired(plain, changed)
    old, new = plain.called[before], changed.called[after]
    source = plain.table.source[before]
    everything = np.ones(len(before), dtype=bool)
    found = estimates(
        {
            "auc": Ranking(changed.score[after], changed.table.label[after]).auc,
            "changed": share(old != new, everything),
            "flipped": share(old * new == -1, everything),
        },
        source,
    )
    return Condition(
        name,
        **found,
        moved=float(np.mean(np.abs(plain.score[before] - changed.score[after]))),
        images=len(before),
    )


def _paired(first: ScoredTable, second: ScoredTable) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of either that show the same image; a file listed twice counts once."""
    _, in_first, in_second = np.intersect1d(first.table.image, second.table.image, return_indices=True)
    return in_first, in_second


def _warnings(plain: ScoredTable, artifact: Artifact, inherited: frozenset[str] = frozenset()) -> list[str]:
    """What a reader has to know before believing a number."""
    table = plain.table
    found = []
    others = of_other_weights(artifact.weights, table.marks)
    if others:
        found.append(
            f"The artifact was trained over other weights of {', '.join(sorted(others))}: what they measure is left "
            "out. Train it again, or measure with its own weights (IMG_ML_WEIGHTS_DIR)."
        )
    learned = sum(image[:LEARNED_DIGITS] in artifact.learned for image in table.image.tolist())
    if learned:
        found.append(
            f"This artifact learned from {learned} of the {len(table)} images: the numbers flatter. Measure on images "
            "it never saw."
        )
    below = sum(image[:LEARNED_DIGITS] in inherited for image in table.image.tolist())
    if below:
        found.append(
            f"A network that it weighs learned from {below} of the {len(table)} images: the numbers flatter, even "
            "though the artifact itself never saw them."
        )
    gap = format_gap(table)
    if gap > FORMAT_GAP:
        found.append(
            f"The file formats of the two classes differ (by {gap:.0%} of the images): how the files were written may "
            "tell the label. Run python -m scripts.audit_dataset, and encode both classes alike before quoting numbers."
        )
    mixed = len(mixed_sources(table.label, table.source, table.image))
    if 0 < mixed < FEW_SOURCES:
        found.append(
            f"The within-source AUC rests on {mixed} {'source' if mixed == 1 else 'sources'}: its interval over "
            "sources means next to nothing."
        )
    if len(np.unique(table.source)) < FEW_SOURCES:
        found.append("There are fewer than five sources: the intervals over sources mean next to nothing.")
    if not plain.called_ai.any() and not plain.called_non_ai.any():
        found.append("Every image is UNCERTAIN: the labels under changes cannot flip, which proves nothing.")
    return found
