"""Training of GhostNet on residuals: from rows to weights that its detector loads."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import save_file

from img_ml.dataset import DatasetError, Row
from img_ml.networks.ghostnet import BACKBONES, ResidualGhostNet
from img_ml.train.checkpoint import Progress
from img_ml.train.examples import divide
from img_ml.train.loop import Loop, Plan, Trained
from img_ml.weights.store import install
from img_ml.weights.table import find

NAME = "ghostnet"
Facts = dict[str, str | int]


def train_ghostnet(
    rows: Sequence[Row],
    backbone: str,
    plan: Plan,
    weights: Path,
    checkpoint: Path,
    device: str,
    threads: int,
    talk: Console,
) -> Progress:
    """Train on the rows outside test, install the best state among the weights, and remove the checkpoint.

    Raises DatasetError where the rows do not allow it, KeyboardInterrupt (the checkpoint written) after Ctrl-C.
    """
    if backbone not in BACKBONES:
        raise DatasetError(f"There is no backbone {backbone!r}: choose one of {', '.join(BACKBONES)}.")
    division = divide(rows, plan.seed)
    learned, watched = (len({row.source for row in side}) for side in (division.learned, division.watched))
    talk.print(
        f"{len(division.learned)} images of {learned} sources to learn from, "
        f"{len(division.watched)} of {watched} others are watched; on {device}."
    )
    torch.manual_seed(plan.seed)
    loop = Loop(ResidualGhostNet(backbone), plan, device, talk)
    trained = loop.train(f"{NAME} {backbone}", division, checkpoint, threads)
    facts: Facts = {"backbone": backbone, "images": len(division.learned), "sources": learned, "seed": plan.seed}
    _install(trained, facts, weights)
    checkpoint.unlink(missing_ok=True)
    return trained.progress


def _install(trained: Trained, facts: Facts, weights: Path) -> None:
    told = {**facts, "step": trained.progress.best_step, "held_out_auc": round(trained.progress.best_auc, 4)}

    def fill(folder: Path) -> str:
        save_file(trained.state, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        return ""

    install(find(NAME), weights, "trained here", fill)
