"""The peak signal-to-noise ratio of reconstructions."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from forensics.types import Pixels
from img_ml.data.high_frequencies import Differences
from img_ml.train.examples import to_images

_AT_ONCE = 16


def psnr(squared_error: float) -> float:
    """In dB, from the mean squared error in grey levels of 0 to 255."""
    return 20 * math.log10(255) - 10 * math.log10(max(squared_error, 1e-9))


@torch.no_grad()
def psnr_of(
    network: nn.Module, reconstruct: Callable[[Tensor], Tensor], pixels: Pixels | Differences, device: str
) -> float:
    """In dB over all of the images (n, H, W, 3) together; `reconstruct` takes n x 3 x H x W in grey levels."""
    network.eval()
    errors = []
    for start in range(0, len(pixels), _AT_ONCE):
        images = to_images(pixels[start : start + _AT_ONCE], device)
        errors.append((reconstruct(images) - images).square().mean(dim=(1, 2, 3)).cpu())
    return psnr(float(torch.cat(errors).mean()))
