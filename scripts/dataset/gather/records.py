"""What a repository gave, kept as JSON, so that a repository that is done is not read again."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from forensics.documents import json_of
from forensics.files import write_atomically
from scripts.dataset.gather.cropping import QUALITY, Cropping, Cut
from scripts.dataset.gather.gathering import Gathered, Image, RowCount
from scripts.dataset.gather.sources import SourceRow
from scripts.dataset.inventory import THUMBNAIL

# Raised whenever the same clone and settings would give other crops.
_VERSION = 1


def key_of(commit: str, rows: Sequence[SourceRow], most: int, cropping: Cropping) -> str:
    """What a record depends on, as a digest: it changes with the commit, the rows and the settings."""
    told = [[row.repository, row.kind, row.pattern.pattern, row.most] for row in rows]
    text = json.dumps([_VERSION, QUALITY, commit, told, most, asdict(cropping)])
    return hashlib.sha256(text.encode()).hexdigest()


def keep(path: Path, key: str, gathered: Gathered) -> None:
    """Write the record. Raises OSError."""
    record = {
        "key": key,
        "commit": gathered.commit,
        "rows": [asdict(row) for row in gathered.rows],
        "images": [_told(image) for image in gathered.images],
    }
    write_atomically(path, json.dumps(record))


def kept(path: Path, key: str, folder: Path) -> Gathered | None:
    """The record of that key; None where there is none, it is of another key, or a crop is gone from `folder`."""
    try:
        record = json_of(path.read_text())
        if record["key"] != key:
            return None
        images = tuple(_read(image) for image in record["images"])
        rows = tuple(RowCount(**row) for row in record["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not all((folder / name).is_file() for image in images for name in image.files):
        return None
    return Gathered(record["commit"], rows, images)


def _told(image: Image) -> dict[str, object]:
    facts = image.facts
    return {
        "row": image.row,
        "files": image.files,
        "sha256": facts.sha256,
        "width": facts.width,
        "height": facts.height,
        "format": facts.format,
        "perceptual_hash": f"{facts.perceptual_hash:016x}",
        "thumbnail": base64.b64encode(facts.thumbnail.tobytes()).decode(),
    }


def _read(record: dict[str, str | int | list[str]]) -> Image:
    thumbnail = np.frombuffer(base64.b64decode(str(record["thumbnail"])), dtype=np.uint8)
    facts = Cut(
        str(record["sha256"]),
        int(str(record["width"])),
        int(str(record["height"])),
        str(record["format"]),
        int(str(record["perceptual_hash"]), 16),
        thumbnail.reshape(THUMBNAIL, THUMBNAIL, 3),
        (),
    )
    files = record["files"]
    return Image(int(str(record["row"])), facts, tuple(files) if isinstance(files, list) else ())
