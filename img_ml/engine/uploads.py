"""Images on an accelerator: each is copied there once, whoever looks at it, and stays as long as the image itself."""

import weakref

import numpy as np
import torch
from torch import Tensor

from forensics.types import Pixels

# Bytes of all images that are kept; an image beyond that is copied for everybody who looks.
_MOST_BYTES = 512 << 20


class Uploads:
    """Copies of images on one device."""

    def __init__(self, device: torch.device, most_bytes: int = _MOST_BYTES) -> None:
        self._device = device
        self._room = most_bytes
        self._kept: dict[int, Tensor] = {}

    def rows(self, pixels: Pixels, rows: slice) -> Tensor:
        """Those rows of the image, on the device."""
        key = id(pixels)
        if key not in self._kept:
            if pixels.nbytes > self._room:
                return self._copied(pixels[rows])
            self._kept[key] = self._copied(pixels)
            self._room -= pixels.nbytes
            weakref.finalize(pixels, self._forget, key, pixels.nbytes).atexit = False
        return self._kept[key][rows]

    def _copied(self, pixels: Pixels) -> Tensor:
        """A copy that the device fetches by itself, out of pinned memory, while the host goes on."""
        pinned = self._device.type == "cuda"
        staged = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=pinned)
        np.copyto(staged.numpy(), pixels)
        return staged.to(self._device, non_blocking=pinned)

    def _forget(self, key: int, size: int) -> None:
        del self._kept[key]
        self._room += size
