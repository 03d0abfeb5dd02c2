"""The trained classifier over embeddings as files: a checkpoint that others read too, or installed for the detector."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save, save_file
from torch import Tensor

from forensics.errors import UsageError
from forensics.files import write_atomically
from img_ml.detectors.siglip2 import classifier_name
from img_ml.train.embeddings.folder import Origin
from img_ml.weights.store import install
from img_ml.weights.table import find

SUFFIXES = (".pth", ".pt", ".safetensors")
Facts = Mapping[str, str | int | float | bool | list[int]]


def write_classifier(path: Path, state: dict[str, Tensor], facts: Facts) -> None:
    """Write the checkpoint: the tensors under `model_state_dict` and the facts beside them, or safetensors."""
    if path.suffix == ".safetensors":
        write_atomically(path, save(state, {"facts": json.dumps(facts)}))
        return
    buffer = io.BytesIO()
    torch.save({"model_state_dict": state, "facts": dict(facts)}, buffer)
    write_atomically(path, buffer.getvalue())


def check_installable(origin: Origin) -> None:
    """Raise UsageError where a classifier over such embeddings cannot be one of the detector's."""
    if not origin.weights:
        raise UsageError(
            "--install needs embeddings by installed weights of siglip2: extract them with --siglip_model "
            "google/siglip2-base-patch16-224 or google/siglip2-so400m-patch14-384."
        )
    if not origin.normalize:
        raise UsageError("--install needs embeddings of unit length: extract them without --no-normalize.")


def install_classifier(weights: Path, origin: Origin, state: dict[str, Tensor], facts: Facts) -> str:
    """Install the classifier beside the weights it is for; the name it is known by."""
    record = find(classifier_name(origin.weights))

    def fill(folder: Path) -> str:
        save_file(state, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(dict(facts), indent=2) + "\n", encoding="utf-8")
        return ""

    install(record, weights, "trained here", fill)
    return record.name
