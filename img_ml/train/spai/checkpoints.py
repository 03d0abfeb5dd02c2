"""Checkpoints of a training, one file an epoch: `ckpt_epoch_N.pth`, readable with torch's weights_only."""

import io
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

from forensics.errors import WeightsError
from forensics.files import write_atomically
from img_ml.data.dataset import DatasetError
from img_ml.weights.adopt import tensors_in

_NAME = re.compile(r"ckpt_epoch_(\d+)\.pth")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is: epochs done, the best judgement so far (-inf before the first) and its epoch.

    `figures` holds what was told of each epoch.
    """

    epoch: int = 0
    best: float = float("-inf")
    best_epoch: int = 0
    figures: tuple[Mapping[str, float], ...] = field(default=())

    def stopped(self, patience: int | None) -> bool:
        """Whether so many epochs have passed without a better one."""
        return patience is not None and self.epoch - self.best_epoch >= patience


def path_of(folder: Path, epoch: int) -> Path:
    """The checkpoint after that epoch, counted from 1."""
    return folder / f"ckpt_epoch_{epoch}.pth"


def write(
    folder: Path, mark: str, progress: Progress, network: nn.Module, optimizer: optim.Optimizer, settings: object
) -> None:
    """Write the checkpoint of the epoch that was done last; `mark` tells trainings apart."""
    whole = {
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": progress.epoch,
        "progress": asdict(progress),
        "mark": mark,
        "config": settings,
    }
    buffer = io.BytesIO()
    torch.save(whole, buffer)
    write_atomically(path_of(folder, progress.epoch), buffer.getvalue())


def latest(folder: Path) -> Path | None:
    """The checkpoint of the last epoch in the folder; None where there is none."""
    found = [(int(name[1]), path) for path in folder.glob("ckpt_epoch_*.pth") if (name := _NAME.fullmatch(path.name))]
    return max(found)[1] if found else None


def resume(path: Path, mark: str, network: nn.Module, optimizer: optim.Optimizer) -> Progress:
    """Put network and optimiser where the checkpoint left them; DatasetError where it is of another training."""
    content = _read(path)
    if content.get("mark") != mark:
        raise DatasetError(
            f"{path} belongs to a training with other images or settings. Name another --tag, or delete the folder."
        )
    network.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    told = content["progress"]
    return Progress(**{**told, "figures": tuple(told["figures"])})


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
        raise DatasetError(f"{path} is not a checkpoint: delete it, or name another --tag.") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not a checkpoint: delete it, or name another --tag.")
    return content
