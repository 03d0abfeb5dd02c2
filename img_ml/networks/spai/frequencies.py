"""An image taken apart by a circle in its spectrum: the low frequencies inside, the high ones outside."""

import torch
from torch import Tensor


def circular_mask(side: int, radius: int) -> Tensor:
    """1 inside the circle and 0 outside, side x side integers, for a spectrum whose zero frequency is in the middle.

    The circle lies around the point between the four middle values, so that frequency f counts as far as -f - 1: the
    mask that the published network was trained with.
    """
    distance = torch.arange(side) - side // 2
    distance = torch.where(distance < 0, -distance - 1, distance)
    return (distance[:, None] ** 2 + distance[None, :] ** 2 < radius**2).long()


def centred_mask(side: int, radius: int) -> Tensor:
    """The same with the circle around the zero frequency itself, as masked-frequency modelling draws it."""
    distance = torch.arange(side) - side // 2
    return (distance[:, None] ** 2 + distance[None, :] ** 2 < radius**2).long()


def split(images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What a mask lets through of images (..., side, side) in [0, 1], and what it does not; both cut to [0, 1]."""
    # Half precision has no Fourier transform of these sides.
    whole, side = images.float(), mask.shape[-1]
    kept = torch.fft.ifftshift(mask, dim=(-2, -1)).to(whole.dtype)
    # The real part of what a mask lets through of a real image is what its mean with its mirror image lets through.
    kept = (kept + kept.flip((-2, -1)).roll((1, 1), (-2, -1))) / 2
    low = torch.fft.irfft2(torch.fft.rfft2(whole) * kept[..., : side // 2 + 1], s=(side, side))
    high = whole - low
    return low.clamp(0, 1), high.clamp(0, 1)
