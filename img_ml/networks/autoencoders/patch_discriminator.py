"""A discriminator of small patches: how real each neighbourhood of an image looks."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.autoencoders.latent_diffusion import HALF


class PatchDiscriminator(nn.Module):
    """From images n x 3 x H x W in grey levels to logits n x 1 x h x w, one for each patch of 22 pixels a side."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """The logits: above 0 looks real."""
        logits: Tensor = self.layers(images / HALF - 1)
        return logits


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """The hinge loss of its logits of real images and of reconstructions."""
    return torch.as_tensor(functional.relu(1 - real).mean() + functional.relu(1 + made).mean())
