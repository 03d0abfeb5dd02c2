"""Networks filled from a file of tensors: key for key, or a sentence that says what does not fit."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from forensics.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]


def tensors_of(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of the weights of that name; WeightsError where the file is none of tensors."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"The tensors of {name} cannot be read: {error}") from error


def fill(network: nn.Module, tensors: dict[str, Tensor], name: str, *, assign: bool = False) -> None:
    """Load the tensors into the network, every one in its place; WeightsError where one is missing, over or misfit.

    With `assign` they become the network's own, which may then have been built on the meta device.
    """
    check_layout(name, shapes_of(network), {key: tuple(value.shape) for key, value in tensors.items()})
    with torch.no_grad():
        network.load_state_dict(tensors, assign=assign)


def first_line(error: Exception) -> str:
    """The first line of what a library says is wrong, or what it calls that."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def shapes_of(network: nn.Module) -> Shapes:
    """The name and shape of every tensor of a checkpoint of the network."""
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def check_layout(name: str, expected: Shapes, found: Shapes) -> None:
    """Raise WeightsError where the weights of that name lack a tensor, have one too many, or one of another shape."""
    for problem, keys in (("lacks", expected.keys() - found.keys()), ("has", found.keys() - expected.keys())):
        if keys:
            end = "" if problem == "lacks" else ", which is none of this network's"
            raise WeightsError(f"{name} {problem} the tensor {min(keys)}{end}.")
    for key, wanted in expected.items():
        if found[key] != wanted:
            raise WeightsError(f"The tensor {key} of {name} has the shape {found[key]}, not {wanted}.")
