"""Inverted and saturated CNN: a small network over colours pushed far apart, which users train on their own images."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from scipy.special import expit

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import ImageSample, Measured, Pixels
from img_ml.detectors._options import options
from img_ml.detectors._votes import mirrored_on
from img_ml.pictures.contact_sheet import contact_sheet
from img_ml.weights.record import Footprint, trained_weights
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from img_ml.detectors._torch import Outputs
    from img_ml.networks.saturation_cnn import SaturationCNN

SPEC = DetectorSpec(
    name="saturation_cnn",
    title="Inverted and saturated CNN",
    version=1,
    numbers=(Number("saturation_cnn_prob", 0, 1, "probability of AI by colours pushed far apart", headline=True),),
    looks_at="crops at native resolution, their colours inverted and saturated 8 or 500 times (or left as they are)",
    fails_when="the picture is grey, was resized or strongly compressed: then its faint colours are the encoder's",
    tier="full",
    source="a small CNN of 2024 over inverted, saturated colours; nobody publishes weights, so it is trained by "
    "python -m img_ml.train saturation_cnn",
)
WEIGHTS = (trained_weights("saturation_cnn", 9_600_000, Footprint(2_389_313, 787_969, 5_133_312, most_views=12)),)
# The factors that the picture for `local_test.py --debug-dir` shows, and the longest side of each of its panels.
SHOWN_FACTORS = (8, 500)
_PANEL = 1024


def picture(sample: ImageSample) -> Pixels:
    """The image beside what the transform makes of it, at 8x and at 500x; needs no weights."""
    image = Image.fromarray(sample.pixels)
    # The sheet shrinks what the transform gave: resized before it, the colours that it is about would be averaged away.
    panels = [sample.pixels, *(np.asarray(saturated(image, factor)) for factor in SHOWN_FACTORS)]
    titles = ("as it is", *(f"inverted, saturated {factor}x" for factor in SHOWN_FACTORS))
    return contact_sheet(titles, [panels], _PANEL)


def saturated(image: Image.Image, factor: float) -> Image.Image:
    """The image inverted, then saturated."""
    return ImageEnhance.Color(ImageOps.invert(image)).enhance(factor)


@detector(SPEC, weights=WEIGHTS, picture=picture)
def load(setup: Setup) -> Detector:
    """The trained network on the setup's device; WeightsError where nobody has trained it, or it cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    import torch

    from img_ml.detectors._torch import Parts, TorchDetector

    network, side = network_of(weights)
    device = torch.device(setup.device)

    def views(sample: ImageSample) -> list[torch.Tensor]:
        return [torch.from_numpy(crop).to(device).permute(2, 0, 1).float() for crop in crops(sample.pixels, side)]

    return TorchDetector(Parts(views, network, _signal), setup.device, weights.digest, micro_batch=12)


def crops(pixels: Pixels, side: int) -> list[Pixels]:
    """Up to six crops of side x side, spread evenly at native resolution; a shorter image is mirrored on beyond it."""
    whole = mirrored_on(pixels, side)
    height, width = whole.shape[:2]
    rows, columns = (2, 3) if width >= height else (3, 2)
    places = [
        (top, left) for top in _starts(height - side, side, rows) for left in _starts(width - side, side, columns)
    ]
    return [whole[top : top + side, left : left + side].copy() for top, left in places]


def _starts(spare: int, side: int, count: int) -> list[int]:
    """Where crops begin along one axis: one in the middle where there is hardly more than it holds."""
    if spare < side // 2:
        return [spare // 2]
    return sorted({round(spare * index / (count - 1)) for index in range(count)})


def network_of(weights: Installed) -> tuple["SaturationCNN", int]:
    """The network, on the CPU, and the side of its crops."""
    from img_ml.networks.saturation_cnn import SMALLEST_SIDE, SaturationCNN
    from img_ml.weights.loading import fill, tensors_of

    path, name = weights.file("config.json"), weights.record.name
    try:
        config = json_of(path.read_text(encoding="utf-8"))
        factor, side = int(config["saturation"]), int(config["side"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} does not name saturation and side: {error}") from error
    if factor < 0 or side < SMALLEST_SIDE:
        raise WeightsError(f"{path} does not describe a network: saturation {factor}, crops of {side} pixels.")
    network = SaturationCNN(factor)
    fill(network, tensors_of(weights.file("model.safetensors"), name), name)
    return network.eval().requires_grad_(False), side


def _signal(sample: ImageSample, outputs: "Outputs") -> Measured:
    probability = float(expit(outputs.mean(dtype=np.float64)))
    seen = "one crop" if len(outputs) == 1 else f"{len(outputs)} crops"
    sentence = f"The inverted and saturated CNN gives {seen} a probability of {probability:.0%} for AI."
    return Measured(SPEC.name, {"saturation_cnn_prob": probability}, sentence)
