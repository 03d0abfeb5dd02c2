"""ResNet-18 over the high frequencies of small crops at native resolution, trained on images of the user's own."""

from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from img_ml.detectors._resnet import load_resnet
from img_ml.weights.record import Footprint, trained_weights

SPEC = DetectorSpec(
    name="resnet_hf",
    title="High-frequency ResNet-18",
    version=2,
    numbers=(Number("resnet_hf_prob", 0, 1, "probability of AI by ResNet-18 on high frequencies", headline=True),),
    looks_at="80 x 80 pixels of the picture minus its blurred self, at native resolution; with votes, several crops",
    fails_when="the grain was removed, added or compressed away, or the crop shows nothing but sky",
    tier="full",
    source="He et al., Deep Residual Learning for Image Recognition, CVPR 2016; nobody publishes weights for this use, "
    "so it is trained by python -m img_ml.train resnet_hf",
)
WEIGHTS = (trained_weights("resnet_hf", 44_800_000, Footprint(11_186_651, 513, 972_800)),)
SIDE = 80


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The trained network on the setup's device; WeightsError where nobody has trained it, or it cannot be used."""
    return load_resnet(SPEC, setup, "high_pass", SIDE)
