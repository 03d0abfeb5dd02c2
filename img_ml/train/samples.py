"""Training samples as people can look at them: before and after the inverted and saturated colours."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from forensics.types import Pixels
from img_ml.data.dataset import Row
from img_ml.detectors.saturation_cnn import SHOWN_FACTORS, saturated
from img_ml.pictures.contact_sheet import contact_sheet
from img_ml.train.examples import native_crops_of

# The least side at which a sample is shown, in pixels.
_SEEN = 160
_KINDS = {0: "real", 1: "AI"}


def sample_sheet(rows: Sequence[Row], count: int, side: int, seed: int) -> bytes:
    """A PNG of `count` images outside test, drawn from both classes in turn; on the left real ones, on the right AI.

    Raises DatasetError where an image cannot be read.
    """
    random, view = np.random.default_rng(seed), native_crops_of(side)
    drawn = {}
    for label in _KINDS:
        usable = [row for row in rows if row.label == label and row.split != "test"]
        places = random.permutation(len(usable))[: count // 2].tolist()
        drawn[label] = [_panels(view(usable[place], 1, seed)) for place in places]
    # Images of CIFAKE are so small that people would see nothing.
    larger = max(1, _SEEN // side)
    parts = ("training sample", *(f"{factor}x" for factor in SHOWN_FACTORS))
    titles = [f"{kind}: {part}" for kind in _KINDS.values() for part in parts]
    lines = [
        [np.kron(one, np.ones((larger, larger, 1), np.uint8)) for one in (*real, *ai)]
        for real, ai in zip(drawn[0], drawn[1], strict=False)
    ]
    buffer = io.BytesIO()
    Image.fromarray(contact_sheet(titles, lines, larger * side)).save(buffer, "PNG")
    return buffer.getvalue()


def _panels(pixels: Pixels) -> list[Pixels]:
    image = Image.fromarray(pixels)
    return [pixels, *(np.asarray(saturated(image, factor)) for factor in SHOWN_FACTORS)]
