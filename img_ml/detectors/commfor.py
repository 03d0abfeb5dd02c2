"""Community Forensics: a vision transformer that its authors trained on the images of thousands of generators."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Prior, Setup, detector
from forensics.types import ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD, Footprint, Preprocessing, WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from torch import nn

    from img_ml.detectors._torch import Outputs

SPEC = DetectorSpec(
    name="commfor",
    title="Community Forensics",
    version=1,
    numbers=(Number("commfor_prob", 0, 1, "probability of AI by Community Forensics", headline=True),),
    looks_at="the middle of the picture, resized to 440 pixels along the shorter edge and cropped to 384",
    fails_when="the generator is newer than those of its training; the probability is not calibrated",
    tier="full",
    source="Park and Owens, Community Forensics: Using Thousands of Generators to Train Fake Image Detectors, 2025",
    prior=Prior("commfor_prob", 0.75, "its mean over 12 datasets with 291 generators (arXiv 2602.07814)"),
)
WEIGHTS = (
    WeightsRecord(
        name="commfor-384",
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/OwensLab/commfor-model-384",
        repository="OwensLab/commfor-model-384",
        revision="6076002bf0d9dd37537f965ee2f06f826c333b61",
        files=(
            WeightFile("config.json", 116, "877416e73aac0fdbc1be723f5ddf674e78a2350305865ad9031564b287b60147"),
            WeightFile(
                "model.safetensors", 87_262_324, "b89f36275f3bf5e2b040eee36597a8f19db051bff9a473a9cf7b2466284fb387"
            ),
        ),
        preprocessing=Preprocessing(crop=384, shortest=440, resample="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD),
        architecture={"model_size": "small", "input_size": 384},
        footprint=Footprint(21_811_969, 21_275_521, 12_404_736),
    ),
)
# The authors' published sizes: the network in timm by `model_size`, the shorter edge by `input_size`.
NETWORKS: Mapping[str, str] = {"tiny": "vit_tiny_patch16_{}", "small": "vit_small_patch16_{}"}
SHORTEST: Mapping[int, int] = {224: 256, 384: 440}
# Every name of the checkpoint begins with it: the authors keep timm's network in a module of their own.
PREFIX = "vit."


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The network on the setup's device; WeightsError where its weights cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    from img_ml.detectors._torch import Parts, TorchDetector
    from img_ml.engine.preprocess import Preprocessor

    network, facts = network_of(weights)
    network = network.float().eval().requires_grad_(False)
    preprocess = Preprocessor(facts, setup.device)
    parts = Parts(lambda sample: [preprocess(sample.pixels)], network, _signal)
    return TorchDetector(parts, setup.device, weights.digest)


def architecture(model_size: str, input_size: int) -> "nn.Module":
    """timm's network of that size with one logit, with random weights."""
    import timm

    network: nn.Module = timm.create_model(NETWORKS[model_size].format(input_size), pretrained=False, num_classes=1)
    return network


def network_of(weights: Installed) -> tuple["nn.Module", Preprocessing]:
    """The network, on the CPU, and its preprocessing."""
    from img_ml.weights.loading import fill, tensors_of

    name, path = weights.record.name, weights.file("config.json")
    assert weights.record.preprocessing is not None
    try:
        config = json_of(path.read_text(encoding="utf-8"))
        side, model_size = config["input_size"], config["model_size"]
        facts = replace(weights.record.preprocessing, crop=side, shortest=SHORTEST[side])
        if config["patch_size"] != 16:
            raise ValueError(f"its patches are of {config['patch_size']} pixels")
        network = architecture(model_size, side)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} does not describe a network of Community Forensics: {error}") from error
    tensors = tensors_of(weights.file("model.safetensors"), name)
    for key in tensors:
        if not key.startswith(PREFIX):
            raise WeightsError(f"The tensor {key} of {name} does not begin with {PREFIX}")
    fill(network, {key.removeprefix(PREFIX): tensor for key, tensor in tensors.items()}, name)
    return network, facts


def _signal(sample: ImageSample, outputs: "Outputs") -> Measured:
    probability = float(expit(np.float64(outputs[0, 0])))
    sentence = f"Community Forensics gives a probability of {probability:.0%} for AI."
    return Measured(SPEC.name, {"commfor_prob": probability}, sentence)
