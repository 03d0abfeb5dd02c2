"""What the tower makes of the views of a dataset, kept on disk: a killed run goes on where it was."""

import hashlib
import io
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from forensics.crops import MIN_SIDE
from forensics.errors import ImgMlError
from forensics.files import write_atomically
from forensics.reading.decode import decode
from img_ml.data.dataset import DatasetError, Row
from img_ml.data.views import draw_view, render_view
from img_ml.detectors._square_windows import square_windows
from img_ml.detectors.clip_b16 import MOST_WINDOWS
from img_ml.engine.onnx_session import session_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# What a killed run may lose.
_SAVED_EVERY_S = 30.0
_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seen:
    """`tokens` n x blocks x 2 x width, each the mean over the windows of one view of `rows`."""

    rows: tuple[Row, ...]
    tokens: _Floats


def tokens_of(rows: Sequence[Row], graph: bytes, views: int, seed: int, folder: Path, talk: Console) -> Seen:
    """The tokens of every view of every row; images that cannot be decoded, or are too small, are left out.

    Raises DatasetError where none is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(graph).hexdigest()[:16]
    known = _known(folder, mark)
    session, waiting, saved = session_of(graph, threads=1), {}, time.monotonic()
    found: list[tuple[Row, _Floats]] = []
    try:
        for done, row in enumerate(rows, start=1):
            for index in range(views):
                key = f"{row.path}:{index}:{seed}"
                tokens = known.get(key)
                if tokens is None:
                    tokens = _looked_at(session, row, index, seed)
                    waiting[key] = tokens
                if tokens.size:
                    found.append((row, tokens))
            if time.monotonic() - saved > _SAVED_EVERY_S:
                _save(folder, mark, waiting)
                saved = time.monotonic()
                talk.print(f"{done} of {len(rows)} images done.")
    finally:
        _save(folder, mark, waiting)
    if not found:
        raise DatasetError("None of the images could be decoded.")
    return Seen(tuple(row for row, _ in found), np.stack([tokens for _, tokens in found]))


def _looked_at(session: "InferenceSession", row: Row, index: int, seed: int) -> _Floats:
    """The mean tokens over the windows of a view; empty where there is nothing to see."""
    try:
        sample = decode(row.path.read_bytes())
        pixels = decode(render_view(sample, draw_view(sample.sha256, index, seed))).pixels
    except (ImgMlError, OSError):
        return np.empty(0, dtype=np.float32)
    if min(pixels.shape[:2]) < MIN_SIDE:
        return np.empty(0, dtype=np.float32)
    (tokens,) = session.run(None, {"pixels": square_windows(pixels, MOST_WINDOWS)})
    mean: _Floats = np.asarray(tokens, dtype=np.float32).mean(axis=0)
    return mean


def _known(folder: Path, mark: str) -> dict[str, _Floats]:
    found: dict[str, _Floats] = {}
    for path in sorted(folder.glob(f"{mark}-*.npz")):
        try:
            with np.load(path) as kept:
                found.update(zip(kept["keys"].tolist(), kept["tokens"], strict=True))
                found.update((key, np.empty(0, dtype=np.float32)) for key in kept["empty"].tolist())
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            raise DatasetError(f"{path} cannot be read: remove it, and run the command again.") from None
    return found


def _save(folder: Path, mark: str, waiting: dict[str, _Floats]) -> None:
    """Write what is waiting as one more file."""
    if not waiting:
        return
    keys = [key for key, tokens in waiting.items() if tokens.size]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        keys=np.array(keys, dtype=str),
        tokens=np.stack([waiting[key] for key in keys]) if keys else np.empty(0, dtype=np.float32),
        empty=np.array([key for key in waiting if key not in set(keys)], dtype=str),
    )
    name = hashlib.sha256("\n".join(waiting).encode()).hexdigest()[:16]
    write_atomically(folder / f"{mark}-{name}.npz", buffer.getvalue())
    waiting.clear()
