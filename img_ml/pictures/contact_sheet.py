"""Contact sheets: pictures side by side in rows and titled columns, for people to look at."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from forensics.types import Pixels

_GAP = 8
_TITLE = 28
_NARROWEST = 200


def contact_sheet(titles: Sequence[str], rows: Sequence[Sequence[Pixels]], longest_side: int) -> Pixels:
    """One page, H x W x 3, of one row at least; larger pictures are shrunk to the longest side, small ones stay."""
    shown = [[_shrunk(picture, longest_side) for picture in row] for row in rows]
    width = max(_NARROWEST, *(image.width for row in shown for image in row))
    heights = [max(image.height for image in row) for row in shown]
    page = Image.new("RGB", (len(titles) * (width + _GAP) + _GAP, _TITLE + sum(heights) + _GAP * len(rows)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for column, title in enumerate(titles):
        draw.text((_GAP + column * (width + _GAP), _GAP // 2), title, fill="black", font=font)
    top = _TITLE
    for row, height in zip(shown, heights, strict=True):
        for column, image in enumerate(row):
            page.paste(image, (_GAP + column * (width + _GAP), top))
        top += height + _GAP
    return np.asarray(page)


def _shrunk(picture: Pixels, longest_side: int) -> Image.Image:
    image = Image.fromarray(picture)
    image.thumbnail((longest_side, longest_side), Image.Resampling.BOX)
    return image
