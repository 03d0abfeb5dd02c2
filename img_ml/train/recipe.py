"""The training of one network from rows to weights that its detector loads; all networks share it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import save_file
from torch import Tensor, nn

from img_ml.data.dataset import Row
from img_ml.train.checkpoint import TrainingProgress
from img_ml.train.classifying import train_classifier
from img_ml.train.examples import NATIVE_CROPS, View, divide
from img_ml.train.loop import Trained
from img_ml.train.plan import TrainingPlan
from img_ml.weights.store import install
from img_ml.weights.table import find

Facts = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained: the network, how it is shown images, and the record of weights that it becomes.

    `facts` tell its detector how to build the network; they stand in the config.json beside the weights. `tensors`
    makes what is saved out of the best state, where that is not the state itself.
    """

    record: str
    network: nn.Module
    facts: Facts = field(default_factory=dict)
    view: View = NATIVE_CROPS
    tensors: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = dict


@dataclass(frozen=True, slots=True)
class TrainingWorkspace:
    """Where a training runs and what it writes: the weights folder, its checkpoint, the device, threads for images."""

    weights: Path
    checkpoint: Path
    device: str
    threads: int


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What a training came to: the best state, and what it was learned from."""

    trained: Trained
    facts: Facts


def train(
    recipe: Recipe, rows: Sequence[Row], plan: TrainingPlan, place: TrainingWorkspace, talk: Console
) -> TrainingProgress:
    """Train on the rows outside test, install the best state among the weights, and remove the checkpoint.

    Raises DatasetError where the rows do not allow it, KeyboardInterrupt (the checkpoint written) after Ctrl-C.
    """
    training = learn(recipe, rows, plan, place, talk)
    install_learned(recipe, training, place.weights)
    place.checkpoint.unlink(missing_ok=True)
    return training.trained.progress


def learn(
    recipe: Recipe, rows: Sequence[Row], plan: TrainingPlan, place: TrainingWorkspace, talk: Console
) -> TrainingOutcome:
    """The best state that training on the rows outside test reaches; nothing is installed, the checkpoint stays."""
    division = divide(rows, plan.seed)
    training, validation = (len({row.source for row in side}) for side in (division.training, division.validation))
    talk.print(
        f"Training on {len(division.training)} images of {training} sources, validating on "
        f"{len(division.validation)} of {validation} others; on {place.device}."
    )
    torch.manual_seed(plan.seed)
    name = f"{recipe.record} {json.dumps(recipe.facts)}"
    trained = train_classifier(
        recipe.network, plan, place.device, talk, name, division, place.checkpoint, place.threads, recipe.view
    )
    return TrainingOutcome(trained, {"images": len(division.training), "sources": training, "seed": plan.seed})


def install_learned(recipe: Recipe, training: TrainingOutcome, weights: Path) -> None:
    """Put what was learned among the weights, where the recipe's detector looks for it."""
    trained = training.trained
    reached = {"step": trained.progress.best_step, "held_out_auc": round(trained.progress.best_auc, 4)}
    told = {**recipe.facts, **training.facts, **reached}

    def fill(folder: Path) -> str:
        save_file(recipe.tensors(trained.state), folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        return ""

    install(find(recipe.record), weights, "trained here", fill)
