"""Reading a response body: bytes and pieces counted as they come, decompressed in a thread."""

import asyncio
import zlib
from collections.abc import AsyncIterable

from worker.errors import FetchFailedError, TooLargeError

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
# A body in pieces of a few bytes costs as much as one a thousand times its size.
_FREE_PIECES = 4096
_SMALLEST_MEAN = 64
# Others get their turn after so many pieces.
_PIECES_A_TURN = 32


async def read_body(chunks: AsyncIterable[bytes], headers: dict[bytes, bytes], limit: int) -> bytes:
    """The body, at most `limit` bytes on the wire and decompressed; TooLargeError beyond, as early as it shows.

    FetchFailedError where it comes in pieces of a few bytes, or is compressed and damaged or cut short.
    """
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        raise TooLargeError(f"The server announces {int(announced)} bytes; the limit is {limit}.")
    compressed = _is_compressed(headers.get(b"content-encoding", b"").strip().lower())
    body, pieces = bytearray(), 0
    async for chunk in chunks:
        body += chunk
        pieces += 1
        if len(body) > limit:
            raise _too_large(limit)
        if pieces > _FREE_PIECES and len(body) < pieces * _SMALLEST_MEAN:
            raise FetchFailedError("The server sends the image in pieces of a few bytes.")
        if pieces % _PIECES_A_TURN == 0:
            await asyncio.sleep(0)
    return await asyncio.to_thread(_unpacked, bytes(body), limit) if compressed else bytes(body)


def _is_compressed(encoding: bytes) -> bool:
    """Whether a Content-Encoding has to be undone; servers may compress although they were asked not to."""
    if encoding in (b"", b"identity"):
        return False
    if encoding in (b"gzip", b"x-gzip", b"deflate"):
        return True
    raise FetchFailedError("The server sent the image in an encoding that was not requested.")


def _unpacked(packed: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error:
        raise FetchFailedError("The server sent a body that cannot be decompressed.") from None
    if len(body) > limit:
        raise _too_large(limit)
    if not unpacker.eof:
        raise FetchFailedError("The server sent a compressed body that ends early.", retryable=True)
    return body


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The file is larger than the limit of {limit} bytes.")
