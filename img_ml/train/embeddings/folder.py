"""A folder of embeddings: embeddings.npy, labels.npy (1 is AI), images.csv beside them, and facts.json on their origin.

Folders of other tools that hold the two arrays alone are read too: every row is a source of its own then.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forensics.documents import json_of
from forensics.files import write_atomically
from img_ml.data.dataset import DatasetError

VALUES, LABELS, IMAGES, FACTS = "embeddings.npy", "labels.npy", "images.csv", "facts.json"
_COLUMNS = ("filepath", "label", "split", "source")


@dataclass(frozen=True, slots=True)
class Origin:
    """What embedded the images: `encoder` is the SHA-256 of its files, `weights` its record, "" where it has none.

    `views` is how many random views of each image were embedded; 0 is the image as it is.
    """

    encoder: str = ""
    weights: str = ""
    normalize: bool = True
    views: int = 0


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Embeddings (n, d) float32 with the label, path, split ("" where unknown) and source of each row."""

    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    paths: NDArray[np.str_]
    splits: NDArray[np.str_]
    sources: NDArray[np.str_]
    origin: Origin

    def where(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Embeddings":
        """Some of the rows."""
        parts = (getattr(self, name)[rows] for name in ("values", "labels", "paths", "splits", "sources"))
        values, labels, paths, splits, sources = parts
        return Embeddings(values, labels, paths, splits, sources, self.origin)


def write_embeddings(folder: Path, embeddings: Embeddings) -> None:
    """Write the folder, each file atomically, the embeddings last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    rows = (embeddings.paths, embeddings.labels, embeddings.splits, embeddings.sources)
    writer.writerows(zip(*(column.tolist() for column in rows), strict=True))
    write_atomically(folder / IMAGES, text.getvalue())
    write_atomically(folder / FACTS, json.dumps(asdict(embeddings.origin), indent=2) + "\n")
    write_atomically(folder / LABELS, array_bytes(embeddings.labels))
    write_atomically(folder / VALUES, array_bytes(embeddings.values))


def read_embeddings(folders: Sequence[Path]) -> Embeddings:
    """The rows of the folders, one after the other; DatasetError where one is none, or they do not fit each other."""
    parts = [_read(folder) for folder in folders]
    origins = {part.origin for part in parts}
    if len(origins) > 1 or len({part.values.shape[1] for part in parts}) > 1:
        raise DatasetError("The folders hold embeddings of different encoders: extract them with the same settings.")
    names = ("values", "labels", "paths", "splits", "sources")
    values, labels, paths, splits, sources = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return Embeddings(values, labels, paths, splits, sources, parts[0].origin)


def array_bytes(array: NDArray[np.generic]) -> bytes:
    """The array as a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _read(folder: Path) -> Embeddings:
    try:
        values = np.load(folder / VALUES, allow_pickle=False).astype(np.float32)
        labels = np.load(folder / LABELS, allow_pickle=False).astype(np.int64)
        origin = _origin(folder / FACTS)
        listed = _listed(folder, len(labels))
    except FileNotFoundError as error:
        raise DatasetError(
            f"{folder} holds no {Path(error.filename).name}: write it with python -m img_ml.train siglip2 "
            "extract_embeddings."
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{folder} cannot be read as a folder of embeddings: {error}") from error
    if values.ndim != 2 or values.shape[:1] != labels.shape or not set(labels.tolist()) <= {0, 1}:
        raise DatasetError(
            f"{folder} does not hold one embedding for each label 0 or 1: {values.shape}, {labels.shape}."
        )
    if not np.isfinite(values).all():
        raise DatasetError(f"{folder} holds embeddings that are not finite.")
    # How other tools write down an image that failed.
    return Embeddings(values, labels, *listed, origin).where(values.any(axis=1))


def _origin(path: Path) -> Origin:
    return Origin(**json_of(path.read_text(encoding="utf-8"))) if path.is_file() else Origin()


def _listed(folder: Path, count: int) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_]]:
    """Path, split and source of each row."""
    if not (folder / IMAGES).is_file():
        own = np.array([f"{folder}#{row}" for row in range(count)])
        return own, np.full(count, ""), own
    with (folder / IMAGES).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != count:
        raise ValueError(f"{IMAGES} has {len(rows)} rows for {count} labels")
    paths, splits, sources = (np.array([row[name] for row in rows]) for name in ("filepath", "split", "source"))
    return paths, splits, sources
