"""A training that was interrupted: the network, its best state so far and the optimiser, in one file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn, optim

from forensics.errors import TrainingError
from forensics.files import write_atomically

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far a training is: steps done, the best validation figures, and after which step that was.

    `checks` holds the figures of each look, with their `step`; `seconds` are those that it took where the plan goes by
    them.
    """

    step: int = 0
    best: tuple[float, ...] = ()
    best_step: int = 0
    checks: tuple[Mapping[str, float], ...] = ()
    seconds: float = 0.0

    @property
    def best_auc(self) -> float:
        """The best figure of a training that goes by the AUC."""
        return self.best[0]


Tensors = Mapping[str, Tensor]


class CheckpointStore(Protocol):
    """Keeps a training that was interrupted."""

    def write(
        self,
        progress: TrainingProgress,
        network: nn.Module,
        optimizer: optim.Optimizer,
        best: Tensors,
        average: nn.Module | None = None,
    ) -> None:
        """Write all of it: `best` is the network's best state, `average` its running mean."""
        ...

    def read(
        self, network: nn.Module, optimizer: optim.Optimizer, average: nn.Module | None = None
    ) -> tuple[TrainingProgress, dict[str, Tensor]] | None:
        """Put network, its running mean and optimiser where they were; their progress, and the best state.

        None where nothing is kept. Raises TrainingError where it is of another training.
        """
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file of one training; `mark` tells trainings apart."""

    path: Path
    mark: str

    def write(
        self,
        progress: TrainingProgress,
        network: nn.Module,
        optimizer: optim.Optimizer,
        best: Tensors,
        average: nn.Module | None = None,
    ) -> None:
        """See CheckpointStore; atomically."""
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in best.items()}
        if average is not None:
            tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
        for name, parameter in network.named_parameters():
            for moment in _MOMENTS if parameter in optimizer.state else ():
                tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
        state = {"mark": self.mark, "progress": json.dumps(asdict(progress))}
        whole = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        write_atomically(self.path, save(whole, state))

    def read(
        self, network: nn.Module, optimizer: optim.Optimizer, average: nn.Module | None = None
    ) -> tuple[TrainingProgress, dict[str, Tensor]] | None:
        """See CheckpointStore."""
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                state = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        except (SafetensorError, OSError) as error:
            raise TrainingError(
                f"{self.path} is not a checkpoint: {error}. Delete it, or name another --checkpoint."
            ) from error
        if state.get("mark") != self.mark:
            raise TrainingError(
                f"{self.path} belongs to a training with other images or settings. "
                "Name another --checkpoint, or delete it."
            )
        kept = json.loads(state["progress"])
        progress = TrainingProgress(**{**kept, "best": tuple(kept["best"]), "checks": tuple(kept["checks"])})
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
