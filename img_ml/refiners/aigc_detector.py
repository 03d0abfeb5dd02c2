"""ImageAIGCDetectorRefiner: the probability of AI, by a small network over embeddings that are there already."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forensics.errors import WeightsError
from img_ml.refiners.framework import Record
from img_ml.refiners.refiner import Refiner

if TYPE_CHECKING:
    from img_ml.networks.embedding_mlp import EmbeddingMlp

SCORE, FLAG = "image_aigc_score", "image_is_aigc"
log = logging.getLogger(__name__)


class ImageAIGCDetectorRefiner(Refiner):
    """Adds `image_aigc_score`, from 0 to 1, and `image_is_aigc`, whether it is above `threshold`.

    Both are None where the record has no embedding of `embedding_dim` finite numbers, or one of zeros alone, which is
    how other tools write down a failure. The classifier is loaded at the first batch, in each process for itself, from
    `model_path`, or `model_filename` of the hub's `model_repo`; WeightsError where it cannot be.
    """

    _forgotten = ("classifier",)

    def __init__(
        self,
        embedding_field: str,
        model_path: str | None = None,
        model_repo: str | None = None,
        model_filename: str = "image_aigc_classifier.pth",
        embedding_dim: int = 1152,
        hidden_dims: Sequence[int] = (512, 128),
        threshold: float = 0.5,
        device: str = "auto",
        inference_batch_size: int = 32,
        use_fp16: bool = True,
    ) -> None:
        """A `model_path` goes before a `model_repo`; `use_fp16` counts on cuda."""
        super().__init__()
        if model_path is None and model_repo is None:
            raise ValueError("Name the classifier's weights: model_path, or model_repo of the hub.")
        if inference_batch_size < 1 or not 0 <= threshold <= 1:
            raise ValueError("inference_batch_size is at least 1, and threshold from 0 to 1.")
        self.embedding_field = embedding_field
        self.model_path = model_path
        self.model_repo = model_repo
        self.model_filename = model_filename
        self.embedding_dim = embedding_dim
        self.hidden_dims = tuple(hidden_dims)
        self.threshold = threshold
        self.device = device
        self.inference_batch_size = inference_batch_size
        self.use_fp16 = use_fp16
        self.classifier: EmbeddingMlp | None = None

    def refine_batch(self, records: list[Record]) -> None:
        """Add score and flag to every record, in place."""
        if not records:
            return
        self.classifier = self.classifier or self._loaded()
        for start in range(0, len(records), self.inference_batch_size):
            self._refine(records[start : start + self.inference_batch_size])
        failed = sum(record[SCORE] is None for record in records)
        if failed:
            log.warning(
                "%d of %d records have no embedding of %d numbers in %s; their score is null",
                failed,
                len(records),
                self.embedding_dim,
                self.embedding_field,
            )

    def get_output_schema(self) -> dict[str, Any]:
        """The score as float32, the flag as bool."""
        import pyarrow as pa

        return {SCORE: pa.float32(), FLAG: pa.bool_()}

    def _refine(self, records: list[Record]) -> None:
        embeddings = [embedding_of(record.get(self.embedding_field), self.embedding_dim) for record in records]
        known = [embedding for embedding in embeddings if embedding is not None]
        scores = iter(self._scores(np.stack(known)) if known else ())
        for record, embedding in zip(records, embeddings, strict=True):
            score = None if embedding is None else next(scores)
            record[SCORE] = score
            record[FLAG] = None if score is None else score > self.threshold

    def _scores(self, embeddings: NDArray[np.float32]) -> list[float | None]:
        """The probabilities (n,) for embeddings (n, d); None where the network gives none."""
        import torch

        assert self.classifier is not None
        device = next(self.classifier.parameters()).device
        half = self.use_fp16 and device.type == "cuda"
        with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=half):
            found = torch.sigmoid(self.classifier(torch.from_numpy(embeddings).to(device)).float()).cpu()
        return [score if np.isfinite(score) else None for score in found.tolist()]

    def _loaded(self) -> "EmbeddingMlp":
        from img_ml.engine.device import choose_device
        from img_ml.networks.embedding_mlp import filled, read_classifier

        path = self._file()
        network = filled(read_classifier(path), path.name, self.embedding_dim, self.hidden_dims)
        return network.to(choose_device(self.device))

    def _file(self) -> Path:
        if self.model_path is not None:
            return Path(self.model_path)
        from huggingface_hub import hf_hub_download

        assert self.model_repo is not None
        try:
            return Path(hf_hub_download(self.model_repo, self.model_filename))
        except Exception as error:
            told = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WeightsError(f"{self.model_filename} of {self.model_repo} cannot be downloaded: {told}") from error


def embedding_of(value: object, dimension: int) -> NDArray[np.float32] | None:
    """The embedding (d,) that a record holds; None where it is none of that length, not finite, or all zeros."""
    if value is None or isinstance(value, str | bytes):
        return None
    try:
        found = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        return None
    if found.shape != (dimension,) or not np.isfinite(found).all() or not found.any():
        return None
    return found
