"""ImageSigLIPEmbeddingRefiner: the SigLIP embedding of each record's image."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forensics.errors import JobError
from forensics.reading.decode import decode
from forensics.settings import load as load_settings
from forensics.types import ImageSample
from img_ml.refiners.framework import Record
from img_ml.refiners.refiner import Refiner

if TYPE_CHECKING:
    from img_ml.detectors._siglip_embedder import SiglipEmbedder

DEFAULT_MODEL = "google/siglip2-so400m-patch14-384"
_FAMILY = "siglip2_"
log = logging.getLogger(__name__)


class ImageSigLIPEmbeddingRefiner(Refiner):
    """Adds a list of floats, the embedding, under `feature_field_name`; None where the image cannot be embedded.

    The image is `record["image"]["bytes"]`, or the bytes themselves. `model_name` is a repository whose weights are
    installed (`python -m img_ml.weights pull`), or a folder in the published layout. The model is loaded at the first
    batch, in each process for itself; WeightsError where it cannot be.
    """

    _forgotten = ("_embedder",)

    def __init__(
        self,
        model_name: str = DEFAULT_MODEL,
        device: str = "auto",
        normalize: bool = True,
        feature_field_name: str | None = None,
        inference_batch_size: int = 32,
        use_fp16: bool = True,
        preprocess_workers: int = 4,
        weights_dir: str | None = None,
    ) -> None:
        """`preprocess_workers` threads decode; `use_fp16` counts on cuda; `weights_dir` replaces the setting's."""
        super().__init__()
        if inference_batch_size < 1 or preprocess_workers < 1:
            raise ValueError("inference_batch_size and preprocess_workers are at least 1.")
        self.model_name = model_name
        self.device = device
        self.normalize = normalize
        self.feature_field_name = feature_field_name or default_field(model_name)
        self.inference_batch_size = inference_batch_size
        self.use_fp16 = use_fp16
        self.preprocess_workers = preprocess_workers
        self.weights_dir = weights_dir
        self._embedder: SiglipEmbedder | None = None

    def refine_batch(self, records: list[Record]) -> None:
        """Add the embedding to every record, in place; `inference_batch_size` images are held decoded at a time."""
        if not records:
            return
        self._embedder = embedder = self._embedder or self._loaded()
        with ThreadPoolExecutor(self.preprocess_workers) as pool:
            for start in range(0, len(records), self.inference_batch_size):
                self._refine(records[start : start + self.inference_batch_size], embedder, pool)
        field = self.feature_field_name
        failed = sum(record[field] is None for record in records)
        if failed:
            log.warning("%d of %d images could not be embedded; their %s is null", failed, len(records), field)

    def get_output_schema(self) -> dict[str, Any]:
        """The embedding as a list of float32."""
        import pyarrow as pa

        return {self.feature_field_name: pa.list_(pa.float32())}

    def _refine(self, records: list[Record], embedder: "SiglipEmbedder", pool: ThreadPoolExecutor) -> None:
        samples = list(pool.map(_decoded, records))
        places = [place for place, sample in enumerate(samples) if sample is not None]
        found = dict(zip(places, embedder([one for one in samples if one is not None]), strict=True))
        for place, record in enumerate(records):
            embedding = found.get(place)
            record[self.feature_field_name] = None if embedding is None else embedding.tolist()

    def _loaded(self) -> "SiglipEmbedder":
        from img_ml.detectors._siglip_embedder import SiglipEmbedder
        from img_ml.detectors._siglip_source import find_siglip
        from img_ml.engine.device import choose_device
        from img_ml.settings import ImgMlSettings

        weights = Path(self.weights_dir) if self.weights_dir else load_settings(ImgMlSettings).weights_dir
        return SiglipEmbedder(
            find_siglip(self.model_name, weights),
            choose_device(self.device),
            batch=self.inference_batch_size,
            half=self.use_fp16,
            normalize=self.normalize,
        )


def default_field(model_name: str) -> str:
    """`image_siglip_emb_` and the model's own name: `image_siglip_emb_so400m_patch14_384`."""
    own = model_name.rstrip("/").rsplit("/", 1)[-1].lower().replace("-", "_")
    return f"image_siglip_emb_{own.removeprefix(_FAMILY)}"


def _decoded(record: Record) -> ImageSample | None:
    image = record.get("image")
    content = image.get("bytes") if isinstance(image, Mapping) else image
    if not isinstance(content, bytes | bytearray | memoryview):
        return None
    try:
        return decode(bytes(content))
    except JobError:
        return None
