"""Hidden text in the alpha channel: what is written the published way is read; anything else is nothing."""

import gzip
import io

import numpy as np
import pytest
from PIL import Image

from forensics.provenance.stealth import read_stealth
from forensics.reading.containers import INFLATE_LIMIT
from tests.forensics.provenance.files import sample, saved


def hidden(payload: bytes, magic: bytes = b"stealth_pngcomp", *, length: int | None = None, size: int = 96) -> bytes:
    """A PNG with the payload in the alpha channel's lowest bits, column by column."""
    bits = 8 * len(payload) if length is None else length
    message = np.unpackbits(np.frombuffer(magic + bits.to_bytes(4, "big") + payload, dtype=np.uint8))
    alpha = np.full((size, size), 254, dtype=np.uint8)
    columns = alpha.T.copy().ravel()
    columns[: len(message)] |= message
    image = np.dstack([np.full((size, size, 3), 120, dtype=np.uint8), columns.reshape(size, size).T])
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def test_compressed_and_plain_text_are_read() -> None:
    assert read_stealth(sample(hidden(gzip.compress(b'{"Software": "NovelAI"}')))) == '{"Software": "NovelAI"}'
    assert read_stealth(sample(hidden("Grüße".encode(), b"stealth_pnginfo"))) == "Grüße"


@pytest.mark.parametrize(
    "data",
    [
        hidden(b"not gzip at all"),
        hidden(b"x", b"stealth_somethi"),
        hidden(b"x", b"stealth_pnginfo", length=0),
        hidden(b"x", b"stealth_pnginfo", length=2**32 - 1),
        hidden(b"", b"stealth_pnginfo", length=96 * 96),
        saved("PNG"),
        saved("JPEG"),
    ],
)
def test_anything_else_hides_nothing(data: bytes) -> None:
    assert read_stealth(sample(data)) is None


def test_an_image_too_small_for_the_head_hides_nothing() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (3, 3)).save(buffer, "PNG")
    assert read_stealth(sample(buffer.getvalue())) is None


def test_a_stream_that_is_cut_off_is_read_up_to_there() -> None:
    text = np.random.default_rng(0).bytes(400).hex()
    found = read_stealth(sample(hidden(gzip.compress(text.encode())[:-100])))
    assert found
    assert text.startswith(found)
    assert found != text


def test_a_bomb_is_read_no_further_than_the_limit() -> None:
    found = read_stealth(sample(hidden(gzip.compress(b"a" * (INFLATE_LIMIT + 10**6)), size=512)))
    assert found is not None
    assert len(found) == INFLATE_LIMIT
