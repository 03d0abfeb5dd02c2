"""FatFormer: a published classifier of generated images, by the cosines of image and texts."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Prior, Setup, detector
from forensics.types import ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD, Footprint, Preprocessing, WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from img_ml.detectors._torch import Outputs
    from img_ml.networks.fatformer.network import FatFormer

SPEC = DetectorSpec(
    name="fatformer",
    title="FatFormer",
    version=1,
    numbers=(
        Number("fatformer_prob", 0, 1, "probability of AI by FatFormer, trained on ProGAN's images", headline=True),
    ),
    looks_at="the whole picture, squashed to 256 pixels and cropped to 224, and the wavelet bands of its patches",
    fails_when="the image was compressed or resized, or comes from a recent generator: it was trained on ProGAN alone",
    tier="full",
    source="Liu et al., Forgery-aware Adaptive Transformer for Generalizable Synthetic Image Detection, CVPR 2024",
    prior=Prior("fatformer_prob", 0.596, "its mean over 11 benchmarks with formats aligned (arXiv 2505.14359)"),
)
WEIGHTS = (
    WeightsRecord(
        name="fatformer",
        tier="full",
        origin="local",
        licence="Apache-2.0",
        where="the authors publish fatformer_4class_ckpt.pth through the drive that the README of "
        "https://github.com/Michel-liu/FatFormer links to (Model Zoo); it holds OpenAI's CLIP ViT-L/14 too. "
        "The network follows their released code; it was not checked against this file",
        # The checkpoint names most tensors twice and stores them once; safetensors stores each name.
        files=(WeightFile("model.safetensors", 4_410_100_000),),
        preprocessing=Preprocessing(crop=224, squash=256, resample="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD),
        footprint=Footprint(577_351_561, 384_965_632, 19_546_112),
    ),
)


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The published network on the setup's device; WeightsError where its weights cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    from img_ml.detectors._torch import Parts, TorchDetector
    from img_ml.engine.preprocess import Preprocessor

    assert weights.record.preprocessing is not None
    preprocess = Preprocessor(weights.record.preprocessing, setup.device)
    network = network_of(weights, weights.record.preprocessing.crop)
    parts = Parts(lambda sample: [preprocess(sample.pixels)], network, _signal)
    return TorchDetector(parts, setup.device, weights.digest)


def network_of(weights: Installed, crop: int) -> "FatFormer":
    """The network for crops of that side, on the CPU."""
    import torch

    from img_ml.networks.fatformer.network import FatFormer
    from img_ml.networks.fatformer.sizes import sizes_of
    from img_ml.weights.loading import fill, tensors_of

    name = weights.record.name
    tensors = {key: tensor.float() for key, tensor in tensors_of(weights.file("model.safetensors"), name).items()}
    sizes = sizes_of({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    if sizes.image != crop:
        raise WeightsError(f"{name} takes images of {sizes.image} pixels, not of {crop}.")
    with torch.device("meta"):
        network = FatFormer(sizes)
    # The file holds the tensors of shared parts once for each of their names; assigned, one of each is kept.
    fill(network, tensors, name, assign=True)
    return network.eval().requires_grad_(False)


def _signal(sample: ImageSample, outputs: "Outputs") -> Measured:
    real, fake = outputs[0].astype(np.float64)
    probability = float(expit(fake - real))
    sentence = f"FatFormer gives a probability of {probability:.0%} for AI."
    return Measured(SPEC.name, {"fatformer_prob": probability}, sentence)
