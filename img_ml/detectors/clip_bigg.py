"""CLIP bigG/14: how well prompts of both classes describe the image, and its embedding for a linear head."""

from forensics.registry import Detector, Setup, detector
from img_ml.detectors._clip import PREPROCESSING, clip_spec, load_clip
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord

SPEC = clip_spec("clip_bigg", "CLIP bigG/14")
WEIGHTS = (
    WeightsRecord(
        name="clip-vit-bigg-14",
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/laion/CLIP-ViT-bigG-14-laion2B-39B-b160k "
        "(open_clip ViT-bigG-14, laion2b_s39b_b160k)",
        repository="laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
        revision="743c27bd53dfe508a0ade0f50698f99b39d03bec",
        files=(
            WeightFile("open_clip_config.json", 600),
            WeightFile("open_clip_model.safetensors", 10_158_400_000, or_else="open_clip_pytorch_model.bin"),
        ),
        preprocessing=PREPROCESSING,
        architecture={"model": "ViT-bigG-14"},
        footprint=Footprint(1_844_907_264, 1_841_043_456, 24_287_232),
    ),
)


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The model on the setup's device; ArtifactError where its weights or prompts cannot be used."""
    return load_clip(SPEC, setup)
