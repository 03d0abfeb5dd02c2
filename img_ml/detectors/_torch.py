"""The base of all torch detectors: views of each image in fixed micro-batches through one network, signals out."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from forensics.types import ImageSample, Signal
from img_ml.engine.abilities import FollowsDevice, MarksWeights, StartsEarly
from img_ml.engine.compiling import compile_core
from img_ml.engine.device import Compile
from img_ml.engine.low_precision import in_float32, lower

Precision = Literal["float32", "float16", "bfloat16"]
Outputs = NDArray[np.float32]
_DTYPES: Mapping[Precision, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}
_MICRO_BATCH = 8
# Micro-batches whose outputs are still on the device while the next one is prepared.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """What makes a detector out of the base.

    `pre` gives the views of a sample (at least one), in order: float32 tensors on the device, all of one shape. Crops
    and tiles may be made one by one as they are asked for: only two micro-batches of them are held at a time.
    `core` maps views (n, ...) to outputs (n, ...) of one shape; it alone runs in lower precision.
    `post` makes the signal of a sample from the outputs (views, ...) of its views, float32 on the host.
    `module` is the network, where `core` is not it: its tensors are brought to the device, rounded and moved.
    """

    pre: Callable[[ImageSample], Iterable[Tensor]]
    core: Callable[[Tensor], Tensor]
    post: Callable[[ImageSample, Outputs], Signal]
    module: nn.Module | None = None

    @property
    def network(self) -> nn.Module | None:
        """The network; None where nobody knows it, so that it cannot be moved."""
        return self.core if self.module is None and isinstance(self.core, nn.Module) else self.module


class TorchDetector(MarksWeights, StartsEarly, FollowsDevice):
    """A loaded detector: a list of samples in, one signal for each out, in order.

    What an image gets does not depend on the images beside it: off the CPU every micro-batch is filled up to the same
    size, for there the kernels, and with them the last digits, are chosen by shape. Where memory runs out, the
    micro-batch is halved and stays so. `weights_sha256` sets its measurements apart from those of other weights.
    `module` is the network. In low precision its matrices are kept rounded.
    """

    def __init__(
        self,
        parts: Parts,
        device: str,
        weights_sha256: str,
        *,
        micro_batch: int | None = None,
        precision: Precision | None = None,
    ) -> None:
        """Bring the network to the device in its precision.

        `micro_batch`, where given, is the most that makes sense; else 8, unless a plan says otherwise.
        `precision` is float16 on cuda and float32 elsewhere, unless given. float16 keeps three bits more than
        bfloat16; views whose output is not finite, for its range is smaller, are computed again in float32.
        """
        self.weights_sha256 = weights_sha256
        self.micro_batch = micro_batch or _MICRO_BATCH
        self._most = micro_batch
        self._parts = parts
        self._core = parts.core
        self._device = torch.device(device)
        self.precision: Precision = precision or ("float16" if self._device.type == "cuda" else "float32")
        self.module = parts.network
        if self.module is not None:
            if self.precision in _DTYPES:
                lower(self.module, _DTYPES[self.precision])
            self.module.to(self._device)

    def follow(self, micro_batch: int, compiled: Compile = "off") -> None:
        """Take micro-batches of that size, or the most that makes sense here; run the core compiled or recorded."""
        self.micro_batch = micro_batch if self._most is None else min(micro_batch, self._most)
        self._core = compile_core(self._parts.core, compiled, self._device)

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        """The signals of the batch; ValueError where the network gives no finite output for an image of it."""
        return self.started(samples)()

    def prepared(self, samples: Sequence[ImageSample]) -> Callable[[], None]:
        """The bare network over the views of a batch, which are made now: what is left out is all that costs time."""
        with torch.inference_mode():
            views = [view for sample in samples for view in self._parts.pre(sample)]
            parts = [torch.stack(views[at : at + self.micro_batch]) for at in range(0, len(views), self.micro_batch)]

        @torch.inference_mode()
        def passes() -> None:
            for part in parts:
                in_precision(self._core, part, self.precision)

        return passes

    @torch.inference_mode()
    def started(self, samples: Sequence[ImageSample]) -> Callable[[], list[Signal]]:
        """Give the device the work on the batch; what is returned waits for the last of it and makes the signals."""
        signals: list[Signal] = []
        done: list[tuple[int, Outputs]] = []
        waiting: deque[_Running] = deque()
        for one in self._running(samples):
            waiting.append(one)
            if len(waiting) == _AHEAD:
                done.extend(self._settled(waiting.popleft()))
                # Its last image may have views to come.
                *whole, done = _by_image(done)
                signals.extend(self._posted(samples, outputs) for outputs in whole)

        @torch.inference_mode()
        def finished() -> list[Signal]:
            while waiting:
                done.extend(self._settled(waiting.popleft()))
            return [*signals, *(self._posted(samples, outputs) for outputs in _by_image(done))]

        return finished

    def _posted(self, samples: Sequence[ImageSample], outputs: Sequence[tuple[int, Outputs]]) -> Signal:
        """The signal of the image that the outputs belong to."""
        return self._parts.post(samples[outputs[0][0]], np.stack([output for _, output in outputs]))

    def _running(self, samples: Sequence[ImageSample]) -> Iterator["_Running"]:
        """Every micro-batch, once the device has been given it."""
        views = ((index, view) for index, sample in enumerate(samples) for view in self._parts.pre(sample))
        while part := list(islice(views, self.micro_batch)):
            batch = torch.stack([view for _, view in part])
            yield _Running([index for index, _ in part], batch, self._computed(batch, self.precision))

    def _settled(self, running: "_Running") -> Iterator[tuple[int, Outputs]]:
        """The index of its sample and the output on the host, for each view in order; all are finite."""
        outputs = running.outputs
        bad = not_finite(outputs)
        if self.precision != "float32" and bool(bad.any()):
            outputs[bad] = self._computed(running.batch[bad], "float32")
            bad = not_finite(outputs)
        if bool(bad.any()):
            raise ValueError("the network gives numbers that are not finite")
        yield from zip(running.indices, outputs.cpu().numpy(), strict=True)

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
        if precision == self.precision:
            return in_precision(self._core, batch, precision)[:count]
        with nullcontext() if self.module is None else in_float32(self.module):
            return in_precision(self._parts.core, batch, precision)[:count]


@dataclass(frozen=True, slots=True)
class _Running:
    """A micro-batch that the device works on: the samples of its views, the views, and what becomes the outputs."""

    indices: list[int]
    batch: Tensor
    outputs: Tensor


def _by_image(outputs: Sequence[tuple[int, Outputs]]) -> list[list[tuple[int, Outputs]]]:
    return [list(group) for _, group in groupby(outputs, key=itemgetter(0))]


def in_precision(core: Callable[[Tensor], Tensor], batch: Tensor, precision: Precision) -> Tensor:
    """The float32 outputs of a core that computes in that precision."""
    dtype, device = _DTYPES.get(precision), batch.device.type
    # A recorded core must not read casts that are forgotten when autocast ends.
    with torch.autocast(device, dtype, enabled=dtype is not None, cache_enabled=False):
        return core(batch).float()


def not_finite(outputs: Tensor) -> Tensor:
    """Which outputs (n, ...) hold a number that is not finite (n,)."""
    return ~torch.isfinite(outputs.reshape(len(outputs), -1)).all(dim=1)
