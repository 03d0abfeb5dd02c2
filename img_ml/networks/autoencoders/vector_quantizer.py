"""A bottleneck of codebooks: groups of latent channels are replaced by their nearest codes, straight through."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_COMMITMENT = 0.25


class Quantized(NamedTuple):
    """Latents (n, C, h, w) as the bottleneck lets them through, and what it adds to the loss."""

    latents: Tensor
    loss: Tensor


class GroupedQuantizer(nn.Module):
    """`groups` codebooks of `codes` entries, one for each equal share of the latent channels.

    Several small codebooks keep an image sharp where a single one of the same cost would blur it.
    """

    def __init__(self, latents: int, codes: int, groups: int) -> None:
        super().__init__()
        if latents % groups:
            raise ValueError(f"{latents} latent channels do not divide into {groups} groups")
        self.codebooks = nn.Parameter(torch.randn(groups, codes, latents // groups) * 0.5)

    def forward(self, latents: Tensor) -> Quantized:
        """Codes in place of latents; gradients pass as if nothing had been replaced."""
        count, _, height, width = latents.shape
        groups, codes, size = self.codebooks.shape
        # Distances in half precision would choose neighbours of the nearest code.
        given = latents.float().permute(0, 2, 3, 1).reshape(-1, groups, size).transpose(0, 1)
        nearest = torch.cdist(given.detach(), self.codebooks.detach()).argmin(dim=2)
        if self.training:
            self._revive(given.detach(), nearest, codes)
        chosen = torch.gather(self.codebooks, 1, nearest[..., None].expand(-1, -1, size))
        loss = functional.mse_loss(chosen, given.detach()) + _COMMITMENT * functional.mse_loss(given, chosen.detach())
        passed = given + (chosen - given).detach()
        return Quantized(passed.transpose(0, 1).reshape(count, height, width, -1).permute(0, 3, 1, 2), loss)

    @torch.no_grad()
    def _revive(self, given: Tensor, nearest: Tensor, codes: int) -> None:
        """Move one in sixteen of the codes that nothing chose to latents of this batch, or they would never be used."""
        for book, latents, chosen in zip(self.codebooks, given, nearest, strict=True):
            idle = torch.nonzero(torch.bincount(chosen, minlength=codes) == 0)[:, 0]
            idle = idle[torch.randperm(len(idle))[: -(-len(idle) // 16)]]
            book[idle] = latents[torch.randint(len(latents), (len(idle),))]
