"""CLIP H/14: how well prompts of both classes describe the image, and its embedding for a linear head."""

from forensics.registry import Detector, Setup, detector
from img_ml.detectors._clip import PREPROCESSING, clip_spec, load_clip
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord

SPEC = clip_spec("clip_h14", "CLIP H/14")
WEIGHTS = (
    WeightsRecord(
        name="clip-vit-h-14",
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/laion/CLIP-ViT-H-14-laion2B-s32B-b79K (open_clip ViT-H-14, laion2b_s32b_b79k)",
        repository="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        revision="1c2b8495b28150b8a4922ee1c8edee224c284c0c",
        files=(
            WeightFile("open_clip_config.json", 637),
            WeightFile(
                "open_clip_model.safetensors",
                3_944_517_836,
                "0084e75319a50ad85ef45377bad5bc38f2f58824459eb690048d51c9f8863be5",
            ),
        ),
        preprocessing=PREPROCESSING,
        architecture={"model": "ViT-H-14"},
        footprint=Footprint(632_076_800, 629_514_240, 16_392_192),
    ),
)


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The model on the setup's device; ArtifactError where its weights or prompts cannot be used."""
    return load_clip(SPEC, setup)
