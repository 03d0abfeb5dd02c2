"""A training that was interrupted: the network, its best state so far and the optimiser, in one file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn, optim

from forensics.errors import TrainingError
from forensics.files import write_atomically

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Check:
    """One look at the held-out sources: the AUC, and the accuracy at a logit of 0 as the mean over both classes."""

    step: int
    auc: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is: steps done, the best held-out AUC (-1 before the first), after which step that was, every
    check so far, and the seconds it took where the plan goes by them."""

    step: int = 0
    best_auc: float = -1.0
    best_step: int = 0
    checks: tuple[Check, ...] = ()
    seconds: float = 0.0


Tensors = Mapping[str, Tensor]


def write_checkpoint(
    path: Path,
    mark: str,
    progress: Progress,
    network: nn.Module,
    optimizer: optim.Optimizer,
    best: Tensors,
    average: nn.Module | None = None,
) -> None:
    """Write all of it, atomically; `mark` tells trainings apart, `best` is the network's best state.

    `average` is the running mean of the network, where there is one.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for name, parameter in network.named_parameters():
        for moment in _MOMENTS if parameter in optimizer.state else ():
            tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
    state = {"mark": mark, "progress": json.dumps(asdict(progress))}
    whole = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    write_atomically(path, save(whole, state))


def read_checkpoint(
    path: Path, mark: str, network: nn.Module, optimizer: optim.Optimizer, average: nn.Module | None = None
) -> tuple[Progress, dict[str, Tensor]]:
    """Put network, its running mean and optimiser where the checkpoint left them; their progress, and the best
    state on the CPU.

    Raises DatasetError where the file is not a checkpoint of this training.
    """
    try:
        with safe_open(path, "pt") as file:
            state = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError) as error:
        raise TrainingError(f"{path} is not a checkpoint: {error}. Delete it, or name another --checkpoint.") from error
    if state.get("mark") != mark:
        raise TrainingError(
            f"{path} belongs to a training with other images or settings. Name another --checkpoint, or delete it."
        )
    kept = json.loads(state["progress"])
    progress = Progress(**{**kept, "checks": tuple(Check(**check) for check in kept.get("checks", ()))})
    network.load_state_dict(_under("network", tensors))
    if average is not None:
        average.load_state_dict(_under("average", tensors))
    for name, parameter in network.named_parameters():
        if f"{_MOMENTS[0]}.{name}" in tensors:
            # In the parameter's own layout, so that every sum comes out as it would have.
            moments = {
                moment: torch.empty_like(parameter, requires_grad=False).copy_(tensors[f"{moment}.{name}"])
                for moment in _MOMENTS
            }
            optimizer.state[parameter] = {"step": torch.tensor(float(progress.step)), **moments}
    return progress, _under("best", tensors)


def _under(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
