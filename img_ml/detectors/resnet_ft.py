"""ResNet-18 over the whole picture, fine-tuned on images of the user's own."""

from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from img_ml.detectors._resnet import load_resnet

SPEC = DetectorSpec(
    name="resnet_ft",
    title="Fine-tuned ResNet-18",
    version=1,
    numbers=(Number("resnet_ft_prob", 0, 1, "probability of AI by the fine-tuned ResNet-18", headline=True),),
    looks_at="the whole picture, squashed to 224 x 224 pixels; with votes, parts of it",
    fails_when="the subjects or the generator are unlike those it was trained on; grain is lost in resizing",
    tier="full",
    source="He et al., Deep Residual Learning for Image Recognition, CVPR 2016; nobody publishes weights for this use, "
    "so it is trained by python -m img_ml.train resnet_ft",
)
SIDE = 224


@detector(SPEC)
def load(setup: Setup) -> Detector:
    """The trained network on the setup's device; WeightsError where nobody has trained it, or it cannot be used."""
    return load_resnet(SPEC, setup, "picture", SIDE)
