"""Reconstruction difference: what an autoencoder changes in an image, and a small ResNet that classifies the change.

The distance follows the thought of Ricker et al., AEROBLADE, CVPR 2024: images that a latent diffusion model made come
back from its autoencoder with less of an error than photographs. Its LPIPS distance needs weights of a VGG; this one
needs none: the absolute error beside the image's own detail.
"""

from typing import TYPE_CHECKING

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.autoencoders.latent_diffusion import HALF, reconstructed

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

# The first is what `python -m img_ml.train aekl` takes when nothing else is said.
BACKBONES = ("resnet18", "resnet10t")
# Places of the error map along a side.
PLACES = 32
# What every view gives: the logit, the mean error, the mean detail, and the maps of both.
OUTPUTS = 3 + 2 * PLACES * PLACES
# Differences of a few grey levels are to be numbers of about one.
_SCALE = 8.0


class DifferenceClassifier(nn.Module):
    """Images n x 3 x H x W in grey levels in, one logit of AI each (n,) out; the autoencoder is not trained.

    The autoencoder is no part of its state: it lies among the weights already.
    """

    def __init__(self, backbone: str, autoencoder: "AutoencoderKL") -> None:
        super().__init__()
        self.classifier = classifier(backbone)
        # In a tuple, or torch would count it among the parameters.
        self._frozen = (autoencoder,)

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits."""
        (autoencoder,) = self._frozen
        with torch.no_grad():
            again = reconstructed(autoencoder.to(pixels.device), pixels)
        logits: Tensor = self.classifier(_normalised(pixels - again))[:, 0]
        return logits


class Aekl(nn.Module):
    """Images n x 3 x H x W in grey levels in, n x OUTPUTS out; the logit is 0 where there is no classifier."""

    def __init__(self, autoencoder: nn.Module, trained: nn.Module | None) -> None:
        super().__init__()
        self.autoencoder, self.classifier = autoencoder, trained

    def forward(self, pixels: Tensor) -> Tensor:
        """Logit, mean error, mean detail (grey levels), then the error map and the detail map, row by row."""
        difference = pixels - reconstructed(self.autoencoder, pixels)
        zeros = pixels.new_zeros(len(pixels))
        logit = zeros if self.classifier is None else self.classifier(_normalised(difference))[:, 0].float()
        error, around = difference.abs().mean(dim=1, keepdim=True), detail(pixels)
        means = [logit, error.mean(dim=(1, 2, 3)), around.mean(dim=(1, 2, 3))]
        maps = [functional.adaptive_avg_pool2d(each, PLACES).flatten(1) for each in (error, around)]
        return torch.cat([torch.stack(means, dim=1), *maps], dim=1)


def classifier(backbone: str) -> nn.Module:
    """timm's ResNet of that name with one logit, with random weights."""
    network: nn.Module = timm.create_model(backbone, pretrained=False, num_classes=1)
    return network


def detail(pixels: Tensor) -> Tensor:
    """How far each pixel is from its neighbours, n x 1 x H x W: the mean of both directions, in grey levels."""
    rows = functional.pad((pixels[..., 1:, :] - pixels[..., :-1, :]).abs(), (0, 0, 0, 1))
    columns = functional.pad((pixels[..., :, 1:] - pixels[..., :, :-1]).abs(), (0, 1))
    return ((rows + columns) / 2).mean(dim=1, keepdim=True)


def _normalised(difference: Tensor) -> Tensor:
    return difference * (_SCALE / HALF)
