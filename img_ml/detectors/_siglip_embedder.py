"""Images to SigLIP embeddings outside of the engine: what cannot be embedded is None, and its neighbours are spared."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forensics.types import ImageSample, Measured
from img_ml.detectors._siglip import load_siglip
from img_ml.detectors._siglip_source import SiglipSource
from img_ml.detectors._torch import Outputs, Parts, TorchDetector
from img_ml.engine.preprocess import Preprocessor

Embedding = NDArray[np.float32]


class SiglipEmbedder:
    """A loaded image tower that embeds batches; `dimension` is the length of an embedding.

    The embeddings are those of the detector `siglip2` where they are of unit length (`normalize`); without it they are
    the pooled output as it comes.
    """

    def __init__(
        self, source: SiglipSource, device: str, *, batch: int, half: bool = True, normalize: bool = True
    ) -> None:
        """`half` lets it compute in 16 bits on cuda. WeightsError where the weights cannot be used."""
        siglip = load_siglip(source.folder, source.name)
        preprocess = Preprocessor(siglip.preprocessing, device)
        self.dimension = siglip.dimension
        self._normalize = normalize
        self._network = TorchDetector(
            Parts(lambda sample: [preprocess(sample.pixels)], siglip.tower, _pooled),
            device,
            source.digest,
            micro_batch=batch,
            precision=None if half else "float32",
        )
        self._network.follow(batch)

    def __call__(self, samples: Sequence[ImageSample]) -> list[Embedding | None]:
        """One embedding (d,) per sample, in order; None where the network gives none."""
        try:
            return [self._finished(signal) for signal in self._network(samples)]
        except Exception:  # noqa: BLE001 - the boundary: one image may not take its neighbours' embeddings
            if len(samples) > 1:
                return [embedding for sample in samples for embedding in self([sample])]
            return [None]

    def _finished(self, signal: object) -> Embedding | None:
        assert isinstance(signal, Measured)
        assert signal.embedding is not None
        length = float(np.linalg.norm(signal.embedding.astype(np.float64)))
        if not length:
            return None
        return unit(signal.embedding) if self._normalize else signal.embedding


def unit(pooled: Embedding) -> Embedding:
    """The pooled output (..., d) at unit length: what heads, classifiers and refiners share."""
    exact = pooled.astype(np.float64)
    return np.asarray(exact / np.linalg.norm(exact, axis=-1, keepdims=True), dtype=np.float32)


def _pooled(sample: ImageSample, outputs: Outputs) -> Measured:
    return Measured("siglip2", {}, "", embedding=outputs[0])
