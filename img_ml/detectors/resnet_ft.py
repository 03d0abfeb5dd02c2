"""ResNet-18 over the whole picture, fine-tuned on images of the user's own."""

from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from img_ml.detectors._resnet import load_resnet
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord, trained_weights

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
WEIGHTS = (
    trained_weights("resnet_ft", 44_800_000, Footprint(11_186_651, 513, 7_626_752)),
    WeightsRecord(
        name="resnet-18",
        tier="full",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/microsoft/resnet-18 (to start a training from)",
        repository="microsoft/resnet-18",
        optional=True,
        files=(
            WeightFile("config.json", 69_600),
            WeightFile("model.safetensors", 46_800_000, or_else="pytorch_model.bin"),
        ),
    ),
)
SIDE = 224


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The trained network on the setup's device; WeightsError where nobody has trained it, or it cannot be used."""
    return load_resnet(SPEC, setup, "picture", SIDE)
