"""How well the way files are written gives their label away: a cross-validated AUC for each kind of trace."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from forensics.errors import DatasetError
from fusion.evaluation.metrics import Ranking, estimate
from img_ml.data.dataset import Row
from scripts.dataset.inventory import ImageFacts

# An AUC above this is a shortcut that a model would learn instead of the pixels.
LIMIT = 0.6
FOLDS = 5
# Fewer images of either class measure nothing.
FEWEST_IMAGES = 10
_LEAF = 20

TOGETHER = "all together"

Table = NDArray[np.float64]
Labels = NDArray[np.int64]
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Trace:
    """One kind of trace: numbers of an image, or None where it does not apply, and what to do when it tells."""

    name: str
    numbers: Callable[[ImageFacts], Sequence[float] | NDArray[np.float32] | None]
    advice: str


@dataclass(frozen=True, slots=True)
class Auc:
    """A cross-validated AUC with its 95 % interval, NaN ends where no resample could be measured."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Finding:
    """How well one trace alone predicts the label.

    `across` is the AUC on sources that the model has not seen, None where there are fewer than FOLDS of a class;
    `among` that on other images of the same sources. Both are None where too few images have the trace.
    """

    name: str
    images: int
    across: Auc | None
    among: Auc | None
    advice: str

    @property
    def highest(self) -> float:
        """The larger of both AUCs; NaN where neither was measured."""
        return max((found.value for found in (self.across, self.among) if found), default=float("nan"))

    @property
    def gives_away(self) -> bool:
        """Whether an AUC is above LIMIT."""
        return self.highest > LIMIT


def _subsampling(image: ImageFacts) -> Sequence[float] | None:
    number = image.encoding.subsampling
    return None if number is None else [number]


_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
_ENCODE = "Encode both classes alike: the same format, quality and chroma subsampling for every file."

TRACES = (
    Trace("file format", lambda image: [float(image.format == name) for name in _FORMATS], _ENCODE),
    Trace(
        "width and height",
        lambda image: [image.width, image.height],
        "Crop both classes to the same size at native resolution. Do not resize: that erases traces of one class only.",
    ),
    Trace(
        "bytes per pixel",
        lambda image: [image.encoding.bytes_per_pixel],
        "Encode both classes alike. What stays is how busy the pictures are: choose both classes' subjects alike.",
    ),
    Trace("JPEG quantisation", lambda image: image.encoding.quantisation, _ENCODE),
    Trace("JPEG subsampling", _subsampling, _ENCODE),
    Trace(
        "metadata",
        lambda image: image.encoding.metadata_sizes,
        "Strip EXIF, XMP, IPTC, ICC profiles and text from every file.",
    ),
)


def audit(rows: Sequence[Row], images: Sequence[ImageFacts], seed: int = 0) -> list[Finding]:
    """The findings of every trace alone, and of all TOGETHER last; `images` are the facts of `rows`.

    Raises DatasetError where a class has fewer than FEWEST_IMAGES images.
    """
    label = np.array([row.label for row in rows], dtype=np.int64)
    source = np.array([row.source for row in rows])
    fewest = int(np.bincount(label, minlength=2).min())
    if fewest < FEWEST_IMAGES:
        raise DatasetError(f"One class has {fewest} readable images; an audit needs {FEWEST_IMAGES} of each.")
    tables = [_table(trace, images) for trace in TRACES]
    findings = [
        _finding(trace.name, trace.advice, table, label, source, seed)
        for trace, table in zip(TRACES, tables, strict=True)
    ]
    advice = "No trace alone does it: encode, crop and strip both classes alike."
    return [*findings, _finding(TOGETHER, advice, np.hstack(tables), label, source, seed)]


def _table(trace: Trace, images: Sequence[ImageFacts]) -> Table:
    """(n, k) numbers of a trace; rows of NaN where it does not apply."""
    found = [trace.numbers(image) for image in images]
    width = max((len(numbers) for numbers in found if numbers is not None), default=1)
    return np.array([[np.nan] * width if numbers is None else numbers for numbers in found], dtype=np.float64)


def _finding(name: str, advice: str, table: Table, label: Labels, source: NDArray[np.str_], seed: int) -> Finding:
    """Measured among the images that have the trace, so that the file format does not count again."""
    present = ~np.all(np.isnan(table), axis=1)
    table, label, source = table[present], label[present], source[present]
    if np.bincount(label, minlength=2).min() < FEWEST_IMAGES:
        return Finding(name, len(label), None, None, advice)
    folds = _folds_by_source(label, source, seed)
    if _is_constant(table):
        chance = Auc(0.5, 0.5, 0.5)
        return Finding(name, len(label), chance if folds else None, chance, advice)
    across = _measured(table, label, folds, source, seed) if folds else None
    by_image = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(label, label))
    among = _measured(table, label, by_image, source if folds else None, seed)
    return Finding(name, len(label), across, among, advice)


def _measured(table: Table, label: Labels, folds: Sequence[Fold], source: NDArray[np.str_] | None, seed: int) -> Auc:
    """AUC of the scores out of fold; its interval resamples sources where they are given, else images."""
    ranking = Ranking(_out_of_fold(table, label, folds, seed), label)
    found = estimate(ranking.auc, np.arange(len(label)).astype(str) if source is None else source, seed=seed)
    return Auc(found.value, found.sources.low, found.sources.high)


def _out_of_fold(table: Table, label: Labels, folds: Sequence[Fold], seed: int) -> NDArray[np.float64]:
    """Each image's score by a small tree model of the other folds."""
    score = np.zeros(len(label))
    for train, test in folds:
        model = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=15,
            min_samples_leaf=max(1, min(_LEAF, len(train) // 10)),
            early_stopping=False,
            # Folds differ in their shares of the classes; unbalanced models would rank them by that.
            class_weight="balanced",
            random_state=seed,
        )
        # The trees are so small that threads spend their time waiting for one another.
        with threadpool_limits(1):
            score[test] = model.fit(table[train], label[train]).decision_function(table[test])
    return score


def _folds_by_source(label: Labels, source: NDArray[np.str_], seed: int) -> list[Fold]:
    """Folds that keep sources whole; none where a class has fewer than FOLDS sources or a fold leaves only one."""
    if any(len(np.unique(source[label == which])) < FOLDS for which in (0, 1)):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        folds = list(splitter.split(label, label, source))
    return folds if all(len(set(label[train])) == 2 for train, _ in folds) else []


def _is_constant(table: Table) -> bool:
    return bool(np.all((table == table[0]) | (np.isnan(table) & np.isnan(table[0]))))
