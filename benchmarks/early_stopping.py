"""Rules for early stopping held against each other: `python -m benchmarks.early_stopping dataset.csv`.

The out-of-fold AUC of the trees when every fold trains for the round best on its own val images, when all take the
median of those, when all take the round best by the mean of the folds, and when nobody stops. Reads features from the
cache, measuring what it lacks. Looks at no test image.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from forensics.settings import load as load_settings
from fusion.evaluation.metrics import auc
from fusion.training.cache import FeatureCache
from fusion.training.extract import extract
from fusion.training.table import FeatureTable
from fusion.weighers.trees import KIND, MOST_ROUNDS
from fusion.weighers.weigher import Candidate, Rows
from img_ml.command import run_command
from img_ml.data.dataset import read_dataset
from img_ml.data.folds import Rows as Fold
from img_ml.data.folds import balanced_weights, grouped_folds, validation_rows
from img_ml.data.views import training_views
from img_ml.engine.engine import Engine
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings


def main(
    dataset: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    cache: Annotated[Path, typer.Option(help="Folder of the feature cache.")] = Path("features"),
) -> None:
    """Compare the rules for every candidate."""
    settings = load_settings(ImgMlSettings)
    engine = Engine(
        load_profile("light", settings.model_dir), settings.weights_dir, settings.device, settings.device_use
    )
    rows = [row for row in read_dataset(dataset) if row.split != "test"]
    table = extract(rows, engine, FeatureCache(cache), training_views(2, 0), Console(stderr=True))
    table = table.select(np.asarray(~np.isnan(table.values).all(axis=0)))
    folds = grouped_folds(table.label, table.source, 0)
    rules = ("rounds best for each fold", "each its own", "median", "mean curve", f"all {MOST_ROUNDS}")
    shown = Table("depth, least weight", *rules)
    for candidate in KIND.candidates:
        curves = np.array([_curve(table, learned, candidate) for learned, _ in folds])
        own = [int(best) + 1 for best in curves.argmax(axis=1)]
        shared = (int(np.median(own)), int(curves.mean(axis=0).argmax()) + 1, MOST_ROUNDS)
        found = [_auc(table, folds, candidate, rounds) for rounds in (own, *([one] * len(folds) for one in shared))]
        shown.add_row(str(tuple(candidate.values())), str(own), *(f"{value:.3f}" for value in found))
    Console().print(shown)


def _curve(table: FeatureTable, learned: Fold, candidate: Candidate) -> np.ndarray:
    watch = validation_rows(table.label[learned], table.source[learned], table.split[learned], 0)
    assert KIND.curve is not None
    rows = _rows(table, learned[~watch])
    return KIND.curve(rows, table.schema.names, candidate, 0, _rows(table, learned[watch]))


def _auc(table: FeatureTable, folds: list[tuple[Fold, Fold]], candidate: Candidate, rounds: list[int]) -> float:
    margin = np.empty(len(table))
    for (learned, held_out), count in zip(folds, rounds, strict=True):
        model = KIND.train(_rows(table, learned), table.schema.names, candidate, 0, count)
        margin[held_out] = model.margin(table.values[held_out])
    return auc(margin, table.label)


def _rows(table: FeatureTable, part: Fold) -> Rows:
    return Rows(table.values[part], table.label[part], balanced_weights(table.label[part], table.source[part]))


if __name__ == "__main__":
    run_command(main)
