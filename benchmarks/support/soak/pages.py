"""What the soak's web server sends: good images, and files that were made to hurt whoever reads them."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image

GOOD = 20
# What stands behind a good image and takes over the decoder of benchmarks.support.soak.worker.
CRASH, HANG, BLOAT, DEADLY = b"then crash", b"then hang", b"then bloat", b"then die"


def bodies() -> Mapping[str, bytes]:
    """The file of each path; paths of good images are numbers."""
    good = {str(number): _photo(number) for number in range(GOOD)}
    return good | {
        "not-an-image": b"<html>sorry</html>",
        "cut": _photo(1)[:300],
        "many-scans": _many_scans(2000),
        "pixel-bomb": _png(_header(60_000, 60_000), b"IDAT", zlib.compress(bytes(10_000))),
        "many-chunks": _many_chunks(19_000),
        "lying-avif": _lying_avif(),
        "crash": _photo(2) + CRASH,
        "hang": _photo(3) + HANG,
        "bloat": _photo(4) + BLOAT,
        "deadly": _photo(5) + DEADLY,
    }


def _photo(seed: int) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(target, "JPEG")
    return target.getvalue()


def _many_scans(scans: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (4000, 4000), "teal").save(target, "JPEG", progressive=True)
    data = target.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def _many_chunks(count: int) -> bytes:
    profile = b"iCCP", b"a\0\0" + zlib.compress(b"no profile")
    pixels = b"IDAT", zlib.compress(b"\0\x80\x80\x80")
    return _png(_header(1, 1), *profile * count, *pixels)


def _header(width: int, height: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


def _png(header: bytes, *kinds_and_bodies: bytes) -> bytes:
    parts = (b"IHDR", header, *kinds_and_bodies, b"IEND", b"")
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in zip(parts[::2], parts[1::2], strict=True)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _lying_avif() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (3000, 3000), "teal").save(target, "AVIF", speed=10)
    data = target.getvalue()
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :]
