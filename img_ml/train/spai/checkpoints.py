"""Checkpoints of a training, one file an epoch: `ckpt_epoch_N.pth`, readable with torch's weights_only."""

import io
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

from forensics.errors import TrainingError, WeightsError
from forensics.files import write_atomically
from img_ml.train import checkpoint as loop
from img_ml.weights.adopt import tensors_in

_NAME = re.compile(r"ckpt_epoch_(\d+)\.pth")


@dataclass(frozen=True, slots=True)
class EpochProgress:
    """How far a training is: epochs done, the best judgement so far (-inf before the first) and its epoch."""

    epoch: int = 0
    best: float = float("-inf")
    best_epoch: int = 0


def progress_of(progress: loop.TrainingProgress, steps_per_epoch: int) -> EpochProgress:
    """The loop's progress, counted in epochs."""
    best = progress.best[0] if progress.best else float("-inf")
    return EpochProgress(progress.step // steps_per_epoch, best, progress.best_step // steps_per_epoch)


def path_of(folder: Path, epoch: int) -> Path:
    """The checkpoint after that epoch, counted from 1."""
    return folder / f"ckpt_epoch_{epoch}.pth"


def latest(folder: Path) -> Path | None:
    """The checkpoint of the last epoch in the folder; None where there is none."""
    found = [(int(name[1]), path) for path in folder.glob("ckpt_epoch_*.pth") if (name := _NAME.fullmatch(path.name))]
    return max(found)[1] if found else None


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """The store of one training; `settings` are told in each file, `mark` tells trainings apart."""

    folder: Path
    mark: str
    steps_per_epoch: int
    settings: object
    keep_all: bool = False

    def write(
        self,
        progress: loop.TrainingProgress,
        network: nn.Module,
        optimizer: optim.Optimizer,
        best: Mapping[str, torch.Tensor],
        average: nn.Module | None = None,
    ) -> None:
        """See CheckpointStore; the best state is the file of its epoch."""
        told = progress_of(progress, self.steps_per_epoch)
        whole = {
            "model": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": told.epoch,
            "progress": asdict(progress),
            "mark": self.mark,
            "config": self.settings,
        }
        buffer = io.BytesIO()
        torch.save(whole, buffer)
        write_atomically(path_of(self.folder, told.epoch), buffer.getvalue())
        if not self.keep_all:
            keep_only(self.folder, {told.best_epoch, told.epoch})

    def read(
        self, network: nn.Module, optimizer: optim.Optimizer, average: nn.Module | None = None
    ) -> tuple[loop.TrainingProgress, dict[str, torch.Tensor]] | None:
        """See CheckpointStore."""
        path = latest(self.folder)
        if path is None:
            return None
        content = _read(path)
        if content.get("mark") != self.mark:
            raise TrainingError(
                f"{path} belongs to a training with other images or settings. Name another --tag, or delete the folder."
            )
        network.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        return loop.TrainingProgress(**content["progress"]), {}


def keep_only(folder: Path, epochs: set[int]) -> None:
    """Delete the checkpoints of all other epochs."""
    for path in folder.glob("ckpt_epoch_*.pth"):
        name = _NAME.fullmatch(path.name)
        if name and int(name[1]) not in epochs:
            path.unlink()


def network_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The network's tensors in a checkpoint or a file of safetensors; WeightsError where it is neither."""
    if path.suffix != ".safetensors":
        if not path.is_file():
            raise WeightsError(f"There is no file {path}.")
        return tensors_in(path)
    from img_ml.weights.loading import tensors_of

    return tensors_of(path, path.name)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise TrainingError(f"{path} is not a checkpoint: delete it, or name another --tag.") from error
    if not isinstance(content, dict):
        raise TrainingError(f"{path} is not a checkpoint: delete it, or name another --tag.")
    return content
