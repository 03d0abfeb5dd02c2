"""CLIP H/14: how well prompts of both classes describe the image, and its embedding for a linear head."""

from forensics.registry import Detector, DetectorSpec, Head, Number, Prior, Setup, detector
from img_ml.clip import UNTRAINED_PROMPTS, load_clip

SPEC = DetectorSpec(
    name="clip_h14",
    title="CLIP H/14",
    version=1,
    numbers=(
        Number("clip_h14_prob", 0, 1, "probability of AI by CLIP H/14's prompts", "clip", headline=True),
        Number("clip_h14_head_prob", 0, 1, "probability of AI by the head on CLIP H/14's embedding", "clip"),
    ),
    looks_at="the whole picture at 224 pixels against descriptions of both classes",
    fails_when="the picture looks like a photograph to a viewer too; the prompts' probability is not calibrated",
    tier="full",
    source="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021 (section "
    "3.1.4: prompts averaged for each class); OpenCLIP's weights trained on LAION-2B, Cherti et al., 2023",
    head=Head("clip_h14_head_prob", "linear"),
    prior=Prior("clip_h14_prob", 0.52, UNTRAINED_PROMPTS),
)


@detector(SPEC)
def load(setup: Setup) -> Detector:
    """The model on the setup's device; ArtifactError where its weights or prompts cannot be used."""
    return load_clip(SPEC, setup)
