"""GhostNet: a small network over noise residuals, which users train on images of their own."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from forensics.crops import CROP, native_crops
from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import ImageSample, Measured, Pixels
from img_ml.detectors._options import options
from img_ml.detectors._votes import mirrored_on
from img_ml.weights.record import Footprint, trained_weights
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from img_ml.detectors._torch import Outputs
    from img_ml.networks.ghostnet import ResidualGhostNet

SPEC = DetectorSpec(
    name="ghostnet",
    title="GhostNet on residuals",
    version=1,
    numbers=(Number("ghostnet_score", 0, 1, "probability of AI by GhostNet on noise residuals", headline=True),),
    looks_at="median and high-pass residuals of crops at native resolution, the picture itself taken away",
    fails_when="noise was removed, added or compressed away, or the generator is unlike any it was trained on",
    tier="full",
    source="Han et al., GhostNet: More Features from Cheap Operations, CVPR 2020; nobody publishes weights for this "
    "use, so it is trained by python -m img_ml.train ghostnet",
)
WEIGHTS = (trained_weights("ghostnet", 15_700_000, Footprint(3_926_808, 0, 9_120_512, most_views=12)),)


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The trained network on the setup's device; WeightsError where nobody has trained it, or it cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    import torch

    from img_ml.detectors._torch import Parts, TorchDetector

    network = network_of(weights)
    device = torch.device(setup.device)

    def crops(sample: ImageSample) -> list[torch.Tensor]:
        return [torch.from_numpy(crop).to(device).permute(2, 0, 1).float() for crop in full_crops(sample.pixels)]

    return TorchDetector(Parts(crops, network, _signal), setup.device, weights.digest, micro_batch=12)


def full_crops(pixels: Pixels) -> list[Pixels]:
    """Up to six crops of 224 x 224 at native resolution; images with a shorter side are mirrored on beyond it."""
    return [crop.copy() for crop in native_crops(mirrored_on(pixels, CROP))]


def network_of(weights: Installed) -> "ResidualGhostNet":
    """The trained network, on the CPU."""
    from img_ml.networks.ghostnet import BACKBONES, ResidualGhostNet
    from img_ml.weights.loading import fill, tensors_of

    try:
        backbone = json_of(weights.file("config.json").read_text(encoding="utf-8"))["backbone"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The config.json of {weights.record.name} does not name a backbone: {error}") from error
    if backbone not in BACKBONES:
        raise WeightsError(f"{weights.record.name} holds a {backbone!r}, not one of {', '.join(BACKBONES)}.")
    network = ResidualGhostNet(backbone)
    fill(network, tensors_of(weights.file("model.safetensors"), weights.record.name), weights.record.name)
    return network.eval().requires_grad_(False)


def _signal(sample: ImageSample, outputs: "Outputs") -> Measured:
    score = float(expit(outputs.mean(dtype=np.float64)))
    crops = "one crop" if len(outputs) == 1 else f"{len(outputs)} crops"
    sentence = f"GhostNet gives the residuals of {crops} a probability of {score:.0%} for AI."
    return Measured(SPEC.name, {"ghostnet_score": score}, sentence)
