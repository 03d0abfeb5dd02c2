"""The network of the detector `crop_network`: the first stages of EfficientNet-Lite0 over a picture and its residuals.

Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019; the layers are timm's.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.high_pass import CHANNELS, HighPass
from img_ml.networks.position_logits import PositionLogits, precise

# What the trunk is shown: the colours, what is left of them behind high-pass filters, or both.
Front = Literal["rgb", "residual", "both"]
# What the trunk begins with: the published weights of ImageNet, or drawn ones.
Start = Literal["imagenet", "scratch"]
FRONTS: tuple[Front, ...] = get_args(Front)
STARTS: tuple[Start, ...] = get_args(Start)
BACKBONE = "tf_efficientnet_lite0"
# Stages of the whole network, and those that are kept: one place of what is left stands for 16 x 16 pixels.
ALL_STAGES, STAGES = 7, 5
DROPOUT = 0.2
# How large the weights of the residuals are at first, beside those of the colours.
_NEW_CHANNELS = 0.1


class CropNetwork(PositionLogits):
    """Images n x 3 x H x W in grey levels (0 to 255) in, one logit of AI each (n,) out.

    `published` are the tensors that it starts from, by timm's names; without them the weights are drawn.
    """

    def __init__(
        self, front: Front = "rgb", stages: int = STAGES, published: Mapping[str, Tensor] | None = None
    ) -> None:
        trunk: Any = timm.create_model(BACKBONE, pretrained=False, num_classes=0)
        if published is not None:
            trunk.load_state_dict(published)
        kept = nn.Sequential(*trunk.blocks[:stages])
        super().__init__(_channels(kept), DROPOUT)
        self._front = front
        self.high_pass: HighPass | None = None if front == "rgb" else HighPass()
        self.stem = _even_padding(_widened(trunk.conv_stem, front))
        self.norm = trunk.bn1
        _pad_evenly(kept)
        self.stages = kept

    def features(self, pixels: Tensor) -> Tensor:
        """The last stage's answer."""
        features: Tensor = self.stages(self.norm(self.stem(self._seen(pixels))))
        return features

    def _seen(self, pixels: Tensor) -> Tensor:
        with precise(pixels):
            pixels = pixels.float()
            colours = pixels / 127.5 - 1
            if self.high_pass is None:
                return colours
            residuals: Tensor = self.high_pass(pixels)
        return residuals if self._front == "residual" else torch.cat([colours, residuals], dim=1)


class EvenConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "same" pads an input of even sides, whatever its sides are.

    Padding that depends on the sides would be frozen where the network is exported.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """The convolution of the padded input."""
        total = self.kernel_size[0] - self.stride[0]
        low, high = total // 2, total - total // 2
        padded = functional.pad(input, (low, high, low, high))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


def _even_padding(layer: nn.Conv2d) -> EvenConv2d:
    size, stride = layer.kernel_size[0], layer.stride[0]
    made = EvenConv2d(layer.in_channels, layer.out_channels, size, stride, groups=layer.groups, bias=False)
    made.load_state_dict(layer.state_dict())
    return made


def _pad_evenly(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and child.stride[0] > 1:
            setattr(module, name, _even_padding(child))
        else:
            _pad_evenly(child)


def _widened(stem: nn.Conv2d, front: Front) -> nn.Conv2d:
    """The first layer over what the front shows; the weights of residuals are smaller copies of those of colours."""
    if front == "rgb":
        return stem
    copies = stem.weight.detach().repeat(1, -(-CHANNELS // 3), 1, 1)[:, :CHANNELS]
    weight = copies * 3 / CHANNELS
    if front == "both":
        weight = torch.cat([stem.weight.detach(), _NEW_CHANNELS * copies], dim=1)
    layer = nn.Conv2d(weight.shape[1], stem.out_channels, stem.kernel_size[0], stem.stride[0], bias=False)
    layer.weight = nn.Parameter(weight)
    return layer


def _channels(stages: nn.Sequential) -> int:
    """How many channels the last of the stages gives."""
    return [layer for layer in stages.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels
