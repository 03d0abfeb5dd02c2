"""AEROBLADE's measure: LPIPS between an image and what autoencoders give back of it (Ricker et al., CVPR 2024)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from img_ml.networks.autoencoders.latent_diffusion import HALF, reconstructed
from img_ml.networks.lpips_vgg import LpipsVgg


class Aeroblade(nn.Module):
    """Images n x 3 x H x W in grey levels in, sides multiples of 8, the distance to each reconstruction out (n, k).

    Reconstructions are rounded down to whole grey levels, as the authors' are in the files that they write.
    """

    def __init__(self, lpips: LpipsVgg, autoencoders: Sequence[nn.Module]) -> None:
        super().__init__()
        self.lpips, self.autoencoders = lpips, nn.ModuleList(autoencoders)

    def forward(self, pixels: Tensor) -> Tensor:
        """The distances."""
        seen = self.lpips.features_of(pixels / HALF - 1)
        again = (reconstructed(autoencoder, pixels).floor() for autoencoder in self.autoencoders)
        return torch.stack([self.lpips.distance(seen, self.lpips.features_of(one / HALF - 1)) for one in again], dim=1)
