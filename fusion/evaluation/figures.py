"""The plots of an evaluation, as SVG text that stands alone and is the same for the same numbers."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from fusion.evaluation.evaluation import Evaluation
from fusion.evaluation.measures import AUC
from fusion.evaluation.metrics import CALIBRATION_BINS, Estimate, auc
from fusion.evaluation.scored import ScoredTable

# Okabe and Ito's colours, told apart by the colour-blind too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_GREY, _SIZE = "#8a8a8a", (4.6, 3.9)
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    # Letters stay letters: smaller files, and text that can be searched.
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    # Names of sources and generators are no formulas.
    "text.parse_math": False,
    # Ids in the file come from this, not from chance.
    "svg.hashsalt": "img_ml",
}
# What XML 1.0 does not know as a character.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_MOST_GROUPS = 24
_MOST_POINTS = 300


def figures(evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Every plot by name; several artifacts share the curves, the bars are of the first."""
    first = evaluations[0]
    with mpl.rc_context(_STYLE):
        return {
            **curves({e.artifact: e.plain for e in evaluations}),
            "histograms": "".join(_histogram(e) for e in evaluations),
            "abstention": _abstention(evaluations),
            "quality": _quality(evaluations),
            "robustness": _robustness(evaluations),
            "flips": _flips(first),
            "generators": _generators(first),
        }


def curves(scored: Mapping[str, ScoredTable]) -> dict[str, str]:
    """The plots that need scores and labels only, one curve for each name."""
    with mpl.rc_context(_STYLE):
        return {
            "roc": _roc(scored),
            "precision_recall": _precision_recall(scored),
            "reliability": _reliability(scored),
        }


def _roc(scored: Mapping[str, ScoredTable]) -> str:
    """The ROC curve, with the chance line and the 5 % mark."""
    figure, axes = _new("ROC", "false-positive rate", "recall of AI images", _SIZE)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":")
    axes.axvline(0.05, color=_GREY, linewidth=0.8)
    for (name, one), colour in zip(scored.items(), _cycle(), strict=False):
        x, y = _thinned(*roc_curve(one.table.label, one.score)[:2])
        axes.plot(x, y, color=colour, linewidth=1.6, label=f"{name}, AUC {auc(one.score, one.table.label):.3f}")
    _square(axes, "lower right")
    return _svg(figure)


def _precision_recall(scored: Mapping[str, ScoredTable]) -> str:
    """The precision-recall curve, with the share of AI images as the chance line."""
    figure, axes = _new("Precision and recall", "recall of AI images", "precision", _SIZE)
    for (name, one), colour in zip(scored.items(), _cycle(), strict=False):
        label = one.table.label
        precision, recall = _thinned(*precision_recall_curve(label, one.score, drop_intermediate=True)[:2])
        axes.plot(recall, precision, color=colour, linewidth=1.6, label=name)
        axes.axhline(label.mean(), color=_GREY, linewidth=0.8, linestyle=":")
    _square(axes, "lower left")
    return _svg(figure)


def _reliability(scored: Mapping[str, ScoredTable]) -> str:
    """Of the images given some probability, how many are AI; bins of fewer than five images are left out."""
    figure, axes = _new("Reliability", "predicted probability of AI", "share that is AI", _SIZE)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":")
    for (name, one), colour in zip(scored.items(), _cycle(), strict=False):
        score, label = one.score, one.table.label
        bins = np.minimum((score * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        full = [b for b in range(CALIBRATION_BINS) if (bins == b).sum() >= 5]
        x = [score[bins == b].mean() for b in full]
        y = [label[bins == b].mean() for b in full]
        size = [8 + 160 * (bins == b).mean() for b in full]
        axes.plot(x, y, color=colour, linewidth=1.2, label=name)
        axes.scatter(x, y, s=size, color=colour)
        for edge in (one.thresholds.ai, one.thresholds.non_ai):
            axes.axvline(edge, color=colour, linewidth=0.6, alpha=0.5)
    _square(axes, "upper left")
    return _svg(figure)


def _histogram(evaluation: Evaluation) -> str:
    """How the probabilities of both classes lie, with the thresholds."""
    plain = evaluation.plain
    figure, axes = _new(f"Probabilities of {evaluation.artifact}", "probability of AI", "share of the class", _SIZE)
    for label, name, colour in ((0, "not AI", COLOURS[2]), (1, "AI", COLOURS[1])):
        inside = plain.score[plain.table.label == label]
        weights = np.full(len(inside), 1 / max(len(inside), 1))
        axes.hist(inside, bins=20, range=(0, 1), weights=weights, color=colour, alpha=0.55, label=name)
    for edge in (plain.thresholds.non_ai, plain.thresholds.ai):
        axes.axvline(edge, color="black", linewidth=0.8, linestyle="--")
    axes.set_xlim(-0.01, 1.01)
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def _abstention(evaluations: Sequence[Evaluation]) -> str:
    """How right the surest answers are, with the interval over sources."""
    figure, axes = _new("Abstention", "share answered, surest first", "balanced accuracy", _SIZE)
    for evaluation, colour in zip(evaluations, _cycle(), strict=False):
        x = [point.coverage for point in evaluation.abstention]
        axes.plot(
            x,
            [point.accuracy.value for point in evaluation.abstention],
            color=colour,
            linewidth=1.6,
            label=evaluation.artifact,
        )
        low = [point.accuracy.sources.low for point in evaluation.abstention]
        high = [point.accuracy.sources.high for point in evaluation.abstention]
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(0.5, color=_GREY, linewidth=0.8, linestyle=":")
    _square(axes, "lower left", low=0.3)
    return _svg(figure)


def _quality(evaluations: Sequence[Evaluation]) -> str:
    """The AUC as the JPEG quality falls, with the interval over sources; the first point is the file as it is."""
    figure, axes = _new("AUC as JPEG quality falls", "JPEG quality", "AUC", _SIZE)
    shown: list[str] = []
    for evaluation, colour in zip(evaluations, _cycle(), strict=False):
        points = {"as it is": evaluation.measures[AUC]}
        points |= {c.name.removeprefix("JPEG "): c.auc for c in evaluation.conditions if c.name.startswith("JPEG ")}
        shown, found = list(points), list(points.values())
        at = range(len(shown))
        axes.plot(at, [e.value for e in found], "o-", color=colour, linewidth=1.6, label=evaluation.artifact)
        low, high = [e.sources.low for e in found], [e.sources.high for e in found]
        axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xticks(range(len(shown)), shown)
    axes.axhline(0.5, color=_GREY, linewidth=0.8, linestyle=":")
    axes.grid(linewidth=0.3)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    return _svg(figure)


def _robustness(evaluations: Sequence[Evaluation]) -> str:
    """The AUC under every change, with the interval over sources; the band is that of the images as they are."""
    names = [condition.name for condition in evaluations[0].conditions]
    figure, axes = _new("AUC under changes", "AUC", "", (7.2, 0.32 * len(names) + 1.2))
    step = 0.8 / len(evaluations)
    for index, (evaluation, colour) in enumerate(zip(evaluations, _cycle(), strict=False)):
        plain = evaluation.measures[AUC]
        axes.axvline(plain.value, color=colour, linewidth=0.8, linestyle=":")
        at = np.arange(len(names)) + (index - (len(evaluations) - 1) / 2) * step
        _whiskers(axes, [c.auc for c in evaluation.conditions], at, colour, evaluation.artifact)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="x", linewidth=0.3)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return _svg(figure)


def _flips(evaluation: Evaluation) -> str:
    """How many labels each change changes, and how many of these go from AI to NON-AI or back."""
    conditions = evaluation.conditions
    names = [condition.name for condition in conditions]
    figure, axes = _new(
        f"Labels of {evaluation.artifact} that change", "share of images", "", (7.2, 0.32 * len(names) + 1.2)
    )
    at = np.arange(len(names))
    axes.barh(at, [c.changed.value for c in conditions], color="#bcd4e6", label="to or from UNCERTAIN, or flipped")
    axes.barh(at, [c.flipped.value for c in conditions], color=COLOURS[1], label="between AI and NON-AI")
    axes.set_yticks(at, names)
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return _svg(figure)


def _generators(evaluation: Evaluation) -> str:
    """What the images of each generator are called; the largest groups where there are many."""
    shown = sorted(
        sorted(evaluation.generators, key=lambda group: -group.ai)[:_MOST_GROUPS], key=lambda group: group.name
    )
    size = (7.2, 0.3 * len(shown) + 1.2)
    figure, axes = _new(f"What {evaluation.artifact} calls each generator's images", "share of its images", "", size)
    left = np.zeros(len(shown))
    at = np.arange(len(shown))
    parts = (("AI", "called_ai", COLOURS[1]), ("UNCERTAIN", "uncertain", "#dddddd"))
    for title, field, colour in (*parts, ("NON-AI", "called_non_ai", COLOURS[2])):
        width = np.array([getattr(group, field) for group in shown])
        axes.barh(at, width, left=left, color=colour, label=title)
        left += width
    axes.set_yticks(at, [f"{group.name} ({group.ai})" for group in shown])
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return _svg(figure)


def _new(title: str, x: str, y: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The text stays text, and whoever shows it has fonts of their own.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = _NO_XML.sub("\N{REPLACEMENT CHARACTER}", buffer.getvalue())
    # Without the XML prologue, so that it can stand inside a page as well as in a file of its own.
    return text[text.index("<svg") :]


def _thinned(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """At most _MOST_POINTS points of a curve, ends included: more cannot be seen."""
    kept = np.unique(np.linspace(0, len(first) - 1, _MOST_POINTS).round().astype(int))
    return first[kept], second[kept]


def _cycle() -> Iterator[str]:
    while True:
        yield from COLOURS


def _square(axes: Axes, place: Literal["lower right", "lower left", "upper left"], low: float = 0.0) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(low - 0.01, 1.01)
    axes.grid(linewidth=0.3)
    axes.legend(frameon=False, fontsize=8, loc=place)


def _whiskers(axes: Axes, estimates: Sequence[Estimate], at: NDArray[Any], colour: str, name: str) -> None:
    value = np.array([e.value for e in estimates])
    low, high = np.array([e.sources.low for e in estimates]), np.array([e.sources.high for e in estimates])
    error = np.abs(np.nan_to_num(np.stack([value - low, high - value])))
    axes.errorbar(value, at, xerr=error, fmt="o", markersize=4, linewidth=1, color=colour, label=name)
