"""The base of all torch detectors: views of each image in fixed micro-batches through one network, signals out."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forensics.types import ImageSample, Signal

Precision = Literal["float32", "float16", "bfloat16"]
Outputs = NDArray[np.float32]
_DTYPES: Mapping[Precision, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Parts:
    """What makes a detector out of the base.

    `pre` gives the views of a sample (at least one), in order: float32 tensors on the device, all of one shape. Crops
    and tiles may be made one by one as they are asked for: only two micro-batches of them are held at a time.
    `core` maps views (n, ...) to outputs (n, ...) of one shape; it alone runs in lower precision.
    `post` makes the signal of a sample from the outputs (views, ...) of its views, float32 on the host.
    """

    pre: Callable[[ImageSample], Iterable[Tensor]]
    core: Callable[[Tensor], Tensor]
    post: Callable[[ImageSample, Outputs], Signal]


class TorchDetector:
    """A loaded detector: a list of samples in, one signal for each out, in order.

    What an image gets does not depend on the images beside it: off the CPU every micro-batch is filled up to the same
    size, for there the kernels, and with them the last digits, are chosen by shape. Where memory runs out, the
    micro-batch is halved and stays so. `weights_sha256` sets its measurements apart from those of other weights.
    """

    def __init__(
        self,
        parts: Parts,
        device: str,
        weights_sha256: str,
        *,
        micro_batch: int = 8,
        precision: Precision | None = None,
    ) -> None:
        """`precision` is float16 on cuda and float32 elsewhere, unless given.

        float16 keeps three bits more than bfloat16; views whose output is not finite, for its range is smaller, are
        computed again in float32.
        """
        self.weights_sha256 = weights_sha256
        self.micro_batch = micro_batch
        self._parts = parts
        self._device = torch.device(device)
        self.precision: Precision = precision or ("float16" if self._device.type == "cuda" else "float32")

    @torch.inference_mode()
    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        """The signals of the batch; ValueError where the network gives no finite output for an image of it."""
        signals = []
        for index, group in groupby(self._outputs(samples), key=itemgetter(0)):
            signals.append(self._parts.post(samples[index], np.stack([output for _, output in group])))
        return signals

    def _outputs(self, samples: Sequence[ImageSample]) -> Iterator[tuple[int, Outputs]]:
        """The index of its sample and the output, for each view in order; the device is kept one micro-batch ahead."""
        views = ((index, view) for index, sample in enumerate(samples) for view in self._parts.pre(sample))
        running: deque[tuple[list[int], Tensor, Tensor]] = deque()
        while part := list(islice(views, self.micro_batch)):
            batch = torch.stack([view for _, view in part])
            running.append(([index for index, _ in part], batch, self._computed(batch, self.precision)))
            if len(running) > 1:
                yield from self._settled(*running.popleft())
        while running:
            yield from self._settled(*running.popleft())

    def _settled(self, indices: list[int], batch: Tensor, outputs: Tensor) -> Iterator[tuple[int, Outputs]]:
        """The outputs on the host, all finite."""
        bad = not_finite(outputs)
        if self.precision != "float32" and bool(bad.any()):
            outputs[bad] = self._computed(batch[bad], "float32")
            bad = not_finite(outputs)
        if bool(bad.any()):
            raise ValueError("the network gives numbers that are not finite")
        yield from zip(indices, outputs.cpu().numpy(), strict=True)

    def _computed(self, batch: Tensor, precision: Precision) -> Tensor:
        """The outputs of any number of views, float32 on the device."""
        try:
            return torch.cat([self._forward(piece, precision) for piece in torch.split(batch, self.micro_batch)])
        except torch.OutOfMemoryError:
            if self.micro_batch == 1:
                raise
        # Not inside the handler: the error holds on to the tensors that did not fit.
        self.micro_batch //= 2
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return self._computed(batch, precision)

    def _forward(self, batch: Tensor, precision: Precision) -> Tensor:
        count = len(batch)
        if self._device.type != "cpu" and count < self.micro_batch:
            batch = torch.cat([batch, batch.new_zeros((self.micro_batch - count, *batch.shape[1:]))])
        return in_precision(self._parts.core, batch, precision)[:count]


def in_precision(core: Callable[[Tensor], Tensor], batch: Tensor, precision: Precision) -> Tensor:
    """The float32 outputs of a core that computes in that precision."""
    with torch.autocast(batch.device.type, _DTYPES.get(precision), enabled=precision in _DTYPES):
        return core(batch).float()


def not_finite(outputs: Tensor) -> Tensor:
    """Which outputs (n, ...) hold a number that is not finite (n,)."""
    return ~torch.isfinite(outputs.reshape(len(outputs), -1)).all(dim=1)
