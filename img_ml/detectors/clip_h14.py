"""CLIP H/14: how well prompts of both classes describe the image, and its embedding for a linear head."""

from forensics.registry import Detector, Setup, detector
from img_ml.detectors._clip import clip_spec, load_clip

SPEC = clip_spec("clip_h14", "CLIP H/14")


@detector(SPEC)
def load(setup: Setup) -> Detector:
    """The model on the setup's device; ArtifactError where its weights or prompts cannot be used."""
    return load_clip(SPEC, setup)
