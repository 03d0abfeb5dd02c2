"""SPAI over images of any size: patches stream through the network in batches, attention hears all of them at the end.

What is held at one time is two batches of patches, and a vector of 1096 values for every patch of the image. The size
of a batch is the micro-batch of the detector: nothing else depends on the size of the image.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn

from forensics.types import Heatmap, ImageSample, Signal
from img_ml.detectors._torch import Outputs, Parts, Precision, TorchDetector
from img_ml.networks.spai.context import SpectralContext
from img_ml.networks.spai.network import Spai
from img_ml.networks.spai.patches import map_of, padded, place

ToSignal = Callable[[ImageSample, float, int, Heatmap], Signal]


class SpaiDetector(TorchDetector):
    """The network as a detector: a patch is a view, and the attention runs on the host in float32."""

    def __init__(
        self,
        network: Spai,
        device: str,
        weights_sha256: str,
        signal: ToSignal,
        *,
        batch: int | None = None,
        precision: Precision | None = None,
    ) -> None:
        """`signal` makes a signal of a sample, its probability, how many patches it has, and the map of attention.

        `batch` is the most patches that go through the network at once, where it is given.
        """
        self._signal, self._side = signal, network.sizes.vit.side
        self._context = context_of(network)
        parts = Parts(self._patches, network.mfvit, self._put_together, network.mfvit)
        super().__init__(parts, device, weights_sha256, micro_batch=batch, precision=precision)

    def _patches(self, sample: ImageSample) -> Iterator[Tensor]:
        pixels, side = padded(sample.pixels, self._side), self._side
        for top, left in place(sample.height, sample.width, side).corners:
            patch = torch.from_numpy(pixels[top : top + side, left : left + side].copy()).to(self._device)
            yield patch.permute(2, 0, 1).float() / 255

    def _put_together(self, sample: ImageSample, outputs: Outputs) -> Signal:
        placing = place(sample.height, sample.width, self._side)
        logits, attention = self._context(torch.from_numpy(outputs[list(placing.order)])[None])
        heatmap = map_of(placing, attention[0].numpy(), sample.height, sample.width)
        return self._signal(sample, float(expit(np.float64(logits[0]))), len(placing.corners), heatmap)


def context_of(network: Spai) -> SpectralContext:
    """The network's attention and classifier alone, on the CPU in float32, in tensors of its own."""
    context = SpectralContext(network.sizes, dropout=0.0)
    own = context.state_dict()
    tensors = network.state_dict()
    context.load_state_dict({name: tensors[name].float().cpu().clone() for name in own})
    module: nn.Module = context.eval().requires_grad_(False)
    assert isinstance(module, SpectralContext)
    return module
