"""NPR as published: the first two stages of a ResNet-50 over neighbouring pixel relationships, in the authors' layout.

Tan et al., Rethinking the Up-Sampling Operations in CNN-Based Generative Network for Generalizable Deepfake Detection,
CVPR 2024; https://github.com/chuangchuangtan/NPR-DeepfakeDetection.
"""

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from img_ml.networks.npr import neighbouring_relations
from img_ml.networks.position_logits import PositionLogits, normalised, precise

WIDTH = 64
_BLOCKS = (3, 4)
_SHARE = 2 / 3


class NprResnet(PositionLogits):
    """Images n x 3 x H x W in grey levels in, one logit of AI each (n,) out."""

    def __init__(self) -> None:
        super().__init__(2 * WIDTH * Bottleneck.expansion)
        self.conv1 = nn.Conv2d(3, WIDTH, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(WIDTH, WIDTH, _BLOCKS[0], 1)
        self.layer2 = _stage(WIDTH * Bottleneck.expansion, 2 * WIDTH, _BLOCKS[1], 2)

    def features(self, pixels: Tensor) -> Tensor:
        """What the two stages see of every place."""
        with precise(pixels):
            relations = neighbouring_relations(normalised(pixels)) * _SHARE
        features: Tensor = self.layer2(self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(relations))))))
        return features


def _stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    wide = width * Bottleneck.expansion
    beside = nn.Sequential(nn.Conv2d(channels, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))
    first = Bottleneck(channels, width, stride, beside)
    return nn.Sequential(first, *(Bottleneck(wide, width) for _ in range(1, blocks)))
