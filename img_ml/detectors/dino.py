"""DINOv2: the embedding of a self-supervised network, for an SVM that the fusion trains on it."""

import hashlib
import math
from typing import TYPE_CHECKING, Any

from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Head, Number, Setup, detector
from forensics.types import ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from torch import Tensor

    from img_ml.detectors._torch import Outputs

SPEC = DetectorSpec(
    name="dino",
    title="DINOv2",
    version=1,
    numbers=(Number("dino_prob", 0, 1, "probability of AI by the head on DINOv2's embedding", headline=True),),
    looks_at="the whole picture at 224 pixels, as a self-supervised vision transformer sees it",
    fails_when="a real image was only reconstructed or edited in places, or the generator is unlike any in training",
    tier="standard",
    source="Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, 2023",
    head=Head("dino_prob", "svm"),
)
# The class token, or with it the mean of the patch tokens.
POOLING = ("cls", "cls+mean")
# Both give the same outputs in the same places.
MODEL_TYPES = ("dinov2", "dinov2_with_registers")


@detector(SPEC)
def load(setup: Setup) -> Detector:
    """The network of the profile's size on the setup's device; WeightsError where its weights cannot be used."""
    pooling = options(setup, SPEC.name, {"pooling": POOLING})["pooling"]
    (weights,) = installed_for(SPEC.name, setup)
    from img_ml.detectors._torch import Parts, TorchDetector
    from img_ml.engine.preprocess import Preprocessor, published

    model = _model(weights)
    facts = published(weights.file("preprocessor_config.json"))
    if facts.crop % model.config.patch_size:
        raise WeightsError(f"{weights.record.name} crops to {facts.crop} pixels, which its patches do not divide.")
    registers = getattr(model.config, "num_register_tokens", 0)
    preprocess = Preprocessor(facts, setup.device)

    def core(pixels: "Tensor") -> "Tensor":
        tokens: Tensor = model(pixel_values=pixels).last_hidden_state
        if pooling == "cls":
            return tokens[:, 0]
        import torch

        return torch.cat([tokens[:, 0], tokens[:, 1 + registers :].mean(dim=1)], dim=1)

    mark = hashlib.sha256(f"{weights.digest} {pooling}".encode()).hexdigest()
    parts = Parts(lambda sample: [preprocess(sample.pixels)], core, _signal, model)
    return TorchDetector(parts, setup.device, mark)


def _model(weights: Installed) -> Any:
    from transformers import AutoModel

    from img_ml.weights.pretrained import config_of, pretrained

    config = config_of(weights)
    if config.model_type not in MODEL_TYPES:
        raise WeightsError(f"{weights.record.name} holds a {config.model_type}, not a DINOv2.")
    return pretrained(AutoModel, weights, config)


def _signal(sample: ImageSample, outputs: "Outputs") -> Measured:
    sentence = "DINOv2 embedded the image; a head trained on it gives the probability."
    return Measured(SPEC.name, {"dino_prob": math.nan}, sentence, embedding=outputs[0])
