"""Several recipes of one network, trained alike and told side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from img_ml.data.dataset import Row
from img_ml.train.checkpoint import TrainingProgress
from img_ml.train.plan import TrainingPlan
from img_ml.train.recipe import Recipe, TrainingWorkspace, install_learned, learn


def compare(
    recipes: Mapping[str, Recipe], rows: Sequence[Row], plan: TrainingPlan, place: TrainingWorkspace, talk: Console
) -> dict[str, TrainingProgress]:
    """Train each recipe with the same plan and seed, and install the one with the highest AUC on the held-out sources.

    Every one has a checkpoint of its own beside `place.checkpoint`, so that an interrupted comparison goes on.
    """
    training = {}
    for name, recipe in recipes.items():
        talk.print(f"{name}:")
        training[name] = learn(recipe, rows, plan, replace(place, checkpoint=_beside(place.checkpoint, name)), talk)
    progress = {name: one.trained.progress for name, one in training.items()}
    best = best_of(progress)
    install_learned(recipes[best], training[best], place.weights)
    for name in recipes:
        _beside(place.checkpoint, name).unlink(missing_ok=True)
    return progress


def best_of(progress: Mapping[str, TrainingProgress]) -> str:
    """The name of the training with the highest AUC on the held-out sources, the first of equals."""
    return max(progress, key=lambda name: progress[name].best_auc)


def comparison(progress: Mapping[str, TrainingProgress]) -> Table:
    """Accuracy and AUC on the held-out sources at every check, a pair of columns for each training."""
    table = Table("Step")
    for name in progress:
        for heading in ("accuracy", "AUC"):
            table.add_column(f"{name}\n{heading}", justify="right")
    checks = {name: {int(check["step"]): check for check in one.checks} for name, one in progress.items()}
    steps = sorted({step for one in checks.values() for step in one})
    for step in steps:
        table.add_row(str(step), *_cells([one.get(step) for one in checks.values()]), end_section=step == steps[-1])
    best = [max(one.checks, key=lambda check: check["auc"]) for one in progress.values()]
    table.add_row("best AUC", *_cells(best), style="bold")
    return table


def _cells(checks: Sequence[Mapping[str, float] | None]) -> list[str]:
    """Two cells for each; empty where a training had ended."""
    found = [("", "") if check is None else (f"{check['accuracy']:.3f}", f"{check['auc']:.3f}") for check in checks]
    return [cell for pair in found for cell in pair]


def _beside(checkpoint: Path, name: str) -> Path:
    return checkpoint.with_name(f"{name.replace(' ', '_')}.{checkpoint.name}")
