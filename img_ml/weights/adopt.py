"""Files of the user's own as weights: safetensors as they are, PyTorch checkpoints converted, nothing executed."""

import argparse
import shutil
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open

from forensics.documents import json_of
from forensics.errors import WeightsError
from img_ml.weights.file_kind import refusal
from img_ml.weights.record import WeightFile, WeightsRecord

if TYPE_CHECKING:
    from torch import Tensor

# Where authors put the tensors inside a checkpoint that holds more than those.
_INNER = ("state_dict", "model_state_dict", "model", "net", "params")
_PARALLEL = "module."

# numpy's own way of unpickling a number; numpy 2 has moved it.
_SCALAR = np.float64(0).__reduce__()[0]
# What checkpoints hold beside tensors that is plain values and nothing else: a training script's options and settings,
# and the numbers it measured.
_PLAIN: tuple[Any, ...] = (
    argparse.Namespace,
    # A dict with attributes; torch fills no other dicts than those of its own list.
    (OrderedDict, "yacs.config.CfgNode"),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
)


def adopt(record: WeightsRecord, source: Path, folder: Path) -> None:
    """Copy or convert a local file (or a folder of all files) into `folder`, in the record's layout.

    Raises WeightsError where a file is missing or of another kind, or holds more than tensors.
    """
    if not source.exists():
        raise WeightsError(f"There is no file {source}.")
    if source.is_file() and len(record.files) > 1:
        names = ", ".join(file.name for file in record.files)
        raise WeightsError(f"{record.name} is made of several files ({names}): name the folder that holds them.")
    for file in record.files:
        path = source if source.is_file() else _found(record, file, source)
        place(path, folder / file.name)


def place(source: Path, target: Path) -> None:
    """One file in its place: tensors as safetensors, JSON as it is; WeightsError where it is neither."""
    if target.suffix == ".json":
        _check_json(source)
        shutil.copyfile(source, target)
    elif source.suffix == ".safetensors":
        check_safetensors(source)
        shutil.copyfile(source, target)
    else:
        convert(source, target)


def check_safetensors(path: Path) -> None:
    """Raise WeightsError where the file is not a whole safetensors file; only its header is read."""
    try:
        with safe_open(path, "numpy") as opened:
            opened.keys()
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a complete safetensors file: {error}") from error


def convert(source: Path, target: Path) -> None:
    """Write the tensors of a PyTorch checkpoint as safetensors, under their own names; WeightsError as below."""
    from safetensors.torch import save_file

    save_file(apart(tensors_in(source)), target)


def tensors_in(source: Path) -> dict[str, "Tensor"]:
    """The tensors of a PyTorch checkpoint by name.

    It is read with `weights_only`: what would execute code is refused. Of a checkpoint that holds more (an epoch, an
    optimiser) only the network's state is taken; a prefix `module.` that every name has is dropped. Raises
    WeightsError where it is refused or holds no tensors.
    """
    import torch

    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([*_PLAIN]):
            warnings.simplefilter("ignore")
            content = torch.load(source, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise WeightsError(refusal(source, str(error))) from error
    tensors = {name: value for name, value in _state(content, source).items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise WeightsError(f"{source} holds no tensors.")
    if all(name.startswith(_PARALLEL) for name in tensors):
        tensors = {name.removeprefix(_PARALLEL): value for name, value in tensors.items()}
    return tensors


def apart(tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """The tensors without any memory in common, as safetensors demand; one that shares none is not copied."""
    found, taken = {}, set()
    for name, value in tensors.items():
        memory = value.untyped_storage()
        whole = value.is_contiguous() and memory.nbytes() == value.nbytes and memory.data_ptr() not in taken
        taken.add(memory.data_ptr())
        found[name] = value.detach() if whole else value.detach().clone().contiguous()
    return found


def _state(content: Any, source: Path) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise WeightsError(f"{source} holds a {type(content).__name__}, not a state dict.")
    for name in _INNER:
        if isinstance(content.get(name), Mapping):
            return _state(content[name], source)
    return content


def _found(record: WeightsRecord, file: WeightFile, folder: Path) -> Path:
    for name in (file.name, file.or_else):
        if name and (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder} holds no file {file.name}, which {record.name} needs.")


def _check_json(path: Path) -> None:
    try:
        json_of(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} is not JSON: {error}") from error
