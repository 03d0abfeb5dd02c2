"""Reading a response body with its size counted as it comes, raw and decompressed."""

import zlib
from collections.abc import AsyncIterable

from worker.errors import FetchFailedError, TooLargeError

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


async def read_body(chunks: AsyncIterable[bytes], headers: dict[bytes, bytes], limit: int) -> bytes:
    """The body, at most `limit` bytes on the wire and decompressed; TooLargeError beyond, as early as it shows."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        raise TooLargeError(f"The server announces {int(announced)} bytes; the limit is {limit}.")
    unpacker = _unpacker(headers.get(b"content-encoding", b"").strip().lower())
    raw, body = 0, bytearray()
    async for chunk in chunks:
        raw += len(chunk)
        if unpacker is None:
            body += chunk
        else:
            try:
                body += unpacker.decompress(chunk, limit + 1 - len(body))
            except zlib.error:
                raise FetchFailedError("The server sent a body that cannot be decompressed.") from None
        if raw > limit or len(body) > limit:
            raise TooLargeError(f"The file is larger than the limit of {limit} bytes.")
    return bytes(body)


def _unpacker(encoding: bytes) -> "zlib._Decompress | None":
    """What undoes a Content-Encoding; servers may compress although they were asked not to."""
    if encoding in (b"", b"identity"):
        return None
    if encoding in (b"gzip", b"x-gzip", b"deflate"):
        return zlib.decompressobj(_GZIP_OR_ZLIB)
    raise FetchFailedError("The server sent the image in an encoding that was not requested.")
