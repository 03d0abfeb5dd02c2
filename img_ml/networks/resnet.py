"""ResNet-18 with one logit of AI, over the picture or over what is left of it without its blurred self.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016; names and shapes are those of transformers, so that
published ones can be started from.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetForImageClassification

from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD

# "picture": normalised as on ImageNet. "high_pass": the picture minus its blurred self, as img_ml.data.high_frequencies
# gives it, in [-1, 1].
Sees = Literal["picture", "high_pass"]
# Channels after the first layer of the published ones.
WIDTH = 64


class ResNet18(nn.Module):
    """Images n x 3 x H x W, or their high frequencies, in grey levels in; one logit of AI each (n,) out."""

    def __init__(self, sees: Sees, width: int = WIDTH) -> None:
        super().__init__()
        self._sees = sees
        widths = [width * scale for scale in (1, 2, 4, 8)]
        config = ResNetConfig(
            embedding_size=width, hidden_sizes=widths, depths=[2, 2, 2, 2], layer_type="basic", id2label={0: "ai"}
        )
        self.network = ResNetForImageClassification(config)
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits."""
        # Differences of neighbouring grey levels: half precision would round away what they are about.
        with torch.autocast(pixels.device.type, enabled=False):
            # The backward pass of a first layer of few channels writes where it must not if colours lie together
            # (torch 2.15 on a CPU).
            pixels = pixels.float().contiguous()
            seen = pixels / 255 if self._sees == "high_pass" else self._normalised(pixels)
        logits: Tensor = self.network(pixel_values=seen).logits[:, 0]
        return logits

    def start_from(self, tensors: dict[str, Tensor]) -> None:
        """Take over the tensors of a published ResNet-18, its classifier left out.

        Raises ValueError where one is missing or of another shape.
        """
        own = {name: value for name, value in self.network.state_dict().items() if name.startswith("resnet.")}
        for name, value in own.items():
            if name not in tensors or tensors[name].shape != value.shape:
                raise ValueError(f"it has no tensor {name} of the shape {tuple(value.shape)}")
        self.network.load_state_dict({name: tensors[name] for name in own}, strict=False)

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (pixels - self.get_buffer("mean")) / self.get_buffer("std")
