"""Text features on disk: what a CLIP model makes of a set of prompts, computed once for each model and set."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from forensics.files import write_atomically
from img_ml.detectors._prompts import Prompts
from img_ml.weights.store import Installed

if TYPE_CHECKING:
    from img_ml.detectors._clip_model import ClipModel

# In the folder of weights, beside them.
FOLDER = "text_features"
_VERSION = 1
_NAME = "class_features"


def cached_class_features(model: "ClipModel", weights: Installed, prompts: Prompts) -> NDArray[np.float64]:
    """The model's `class_features`, from the folder of weights where they lie there whole.

    They are kept by the model's digest, the prompts and open_clip's version. A folder that cannot be written costs the
    next start the same time again, nothing else.
    """
    path = cache_path(weights, prompts)
    found = _read(path)
    if found is None:
        found = model.class_features(prompts)
        with suppress(OSError):
            write_atomically(path, save({_NAME: found}, {"sha256": _sha256(found)}))
    return found


def cache_path(weights: Installed, prompts: Prompts) -> Path:
    """Where the text features of that model and those prompts lie."""
    told = {"version": _VERSION, "model": weights.digest, "open_clip": version("open_clip_torch"), **asdict(prompts)}
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return weights.folder.parent / FOLDER / f"{weights.record.name}-{key[:16]}.safetensors"


def _read(path: Path) -> NDArray[np.float64] | None:
    """The features of the file; None where there is none, or it is not as it was written."""
    try:
        with safe_open(path, "numpy") as file:
            found: NDArray[np.float64] = file.get_tensor(_NAME)
            whole = (file.metadata() or {}).get("sha256") == _sha256(found)
    except (OSError, SafetensorError):
        return None
    return found if whole else None


def _sha256(features: NDArray[np.float64]) -> str:
    return hashlib.sha256(features.tobytes()).hexdigest()
