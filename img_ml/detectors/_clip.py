"""What the CLIP detectors share: an image against the prompts of both classes, and its embedding for a head."""

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from forensics.registry import Detector, DetectorSpec, Head, Number, Prior, Setup
from forensics.types import ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.detectors._prompts import load_prompts
from img_ml.weights.record import CLIP_MEAN, CLIP_STD, Preprocessing
from img_ml.weights.store import installed_for

if TYPE_CHECKING:
    from img_ml.detectors._torch import Outputs

PREPROCESSING = Preprocessing(crop=224, shortest=224, mean=CLIP_MEAN, std=CLIP_STD)

# Why prompts count for next to nothing before a fusion is trained on them.
_UNTRAINED_PROMPTS = (
    "an assumption, kept small: nobody measured these prompts, and even a linear head trained on CLIP's embedding "
    "(UnivFD) has a mean of 0.563 over 11 benchmarks with formats aligned (arXiv 2505.14359)"
)


def clip_spec(name: str, title: str) -> DetectorSpec:
    """The spec of the CLIP model of that title: the probability by the prompts, then that of its head."""
    return DetectorSpec(
        name=name,
        title=title,
        version=1,
        numbers=(
            Number(f"{name}_prob", 0, 1, f"probability of AI by {title}'s prompts", "clip", headline=True),
            Number(f"{name}_head_prob", 0, 1, f"probability of AI by the head on {title}'s embedding", "clip"),
        ),
        looks_at="the whole picture at 224 pixels against descriptions of both classes",
        fails_when="the picture looks like a photograph to a viewer too; the prompts' probability is not calibrated",
        tier="full",
        source="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021 (section "
        "3.1.4: prompts averaged for each class); OpenCLIP's weights trained on LAION-2B, Cherti et al., 2023",
        head=Head(f"{name}_head_prob", "linear"),
        prior=Prior(f"{name}_prob", 0.52, _UNTRAINED_PROMPTS),
    )


def load_clip(spec: DetectorSpec, setup: Setup) -> Detector:
    """The model of the spec's record on the setup's device; ArtifactError where its weights or prompts do not do."""
    chosen = options(setup, spec.name, {"prompts": ()})["prompts"]
    (weights,) = installed_for(spec.name, setup)
    prompts = load_prompts(setup.weights, chosen)
    from img_ml.detectors._clip_model import ClipModel
    from img_ml.detectors._text_features import cached_class_features
    from img_ml.detectors._torch import Parts, TorchDetector
    from img_ml.engine.preprocess import Preprocessor

    model = ClipModel(weights, setup.device)
    features = cached_class_features(model, weights, prompts)
    scale = model.logit_scale()
    preprocess = Preprocessor(model.preprocessing, setup.device)

    def post(sample: ImageSample, outputs: "Outputs") -> Measured:
        return _signal(spec, outputs[0], features, scale)

    parts = Parts(lambda sample: [preprocess(sample.pixels)], model.image_tower(), post)
    mark = hashlib.sha256(f"{weights.digest} {prompts}".encode()).hexdigest()
    return TorchDetector(parts, setup.device, mark)


def prompt_probability(direction: NDArray[np.float64], features: NDArray[np.float64], scale: float) -> float:
    """The softmax of the scaled cosines between an image (d,) and both classes (2, d), all of unit length: that of AI.

    One feature for each class, the mean of its prompts: Radford et al. 2021, section 3.1.4.
    """
    ai, real = features @ direction
    return float(expit(scale * (ai - real)))


def _signal(
    spec: DetectorSpec, embedding: NDArray[np.float32], features: NDArray[np.float64], scale: float
) -> Measured:
    exact = embedding.astype(np.float64)
    direction = exact / np.linalg.norm(exact)
    probability = prompt_probability(direction, features, scale)
    nearer = "images made by AI" if probability >= 0.5 else "images made without AI"
    by_prompts, by_head = (number.name for number in spec.numbers)
    return Measured(
        spec.name,
        {by_prompts: probability, by_head: math.nan},
        f"{spec.title} finds the image closer to descriptions of {nearer}.",
        embedding=direction.astype(np.float32),
    )
