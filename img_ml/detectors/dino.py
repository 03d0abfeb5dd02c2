"""DINOv2: the embedding of a self-supervised network, for an SVM that the fusion trains on it."""

import hashlib
import math
from typing import TYPE_CHECKING, Any

from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Head, Number, Setup, detector
from forensics.types import ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD, Footprint, Preprocessing, WeightFile, WeightsRecord
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
# As the preprocessor_config.json of both repositories says; the file itself is read when the network is loaded.
_PREPROCESSING = Preprocessing(crop=224, shortest=256, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def _sizes(width: int, layers: int, heads: int) -> dict[str, object]:
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    return {"model_type": "dinov2", **sizes, "image_size": 518, "patch_size": 14}


WEIGHTS = (
    WeightsRecord(
        name="dinov2-base",
        tier="standard",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/facebook/dinov2-base",
        repository="facebook/dinov2-base",
        revision="f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        files=(
            WeightFile("config.json", 548, "f7ff4cfa73d2f70647dbf6950541ad25d73082d54c2e7e9bded160c7656b2a70"),
            WeightFile(
                "preprocessor_config.json", 436, "14e780d86fa1861f8751f868d7f45425b5feb55c38ca26f152ca5097ab30f828"
            ),
            WeightFile(
                "model.safetensors", 346_345_912, "d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841"
            ),
        ),
        preprocessing=_PREPROCESSING,
        footprint=Footprint(86_580_480, 85_017_600, 10_076_160),
        architecture=_sizes(768, 12, 12),
    ),
    WeightsRecord(
        name="dinov2-large",
        tier="full",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/facebook/dinov2-large",
        repository="facebook/dinov2-large",
        revision="47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
        files=(
            WeightFile("config.json", 549, "12df51c069a2dc1305e34ba71ef58bc2407ea553b75f4722a1715c1bce3bbed0"),
            WeightFile("preprocessor_config.json", 436),
            WeightFile(
                "model.safetensors", 1_217_522_888, "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23"
            ),
        ),
        preprocessing=_PREPROCESSING,
        footprint=Footprint(304_368_640, 302_211_072, 13_234_176),
        architecture=_sizes(1024, 24, 16),
    ),
)
# The class token, or with it the mean of the patch tokens.
POOLING = ("cls", "cls+mean")
# Both give the same outputs in the same places.
MODEL_TYPES = ("dinov2", "dinov2_with_registers")


@detector(SPEC, weights=WEIGHTS)
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
