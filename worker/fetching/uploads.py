"""Images that travel through Redis: a job names one as `upload:<sha256>`, its bytes lie under a key of their own."""

import hashlib
import re
from collections.abc import Awaitable, Callable

from worker.errors import BadJobError, FetchFailedError, TooLargeError
from worker.streams.connections import connect
from worker.streams.retry import REDIS_UNAVAILABLE

SCHEME = "upload:"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def upload_key(jobs: str, sha256: str) -> str:
    """The key of an upload's bytes; `jobs` is the first job stream's name."""
    return f"{jobs}:upload:{sha256}"


class UploadFetcher:
    """Gives the bytes of uploads out of Redis, and leaves every other address to `elsewhere`."""

    def __init__(self, redis_url: str, jobs: str, max_bytes: int, elsewhere: Callable[[str], Awaitable[bytes]]) -> None:
        self._client = connect(redis_url)
        self._jobs = jobs
        self._max_bytes = max_bytes
        self._elsewhere = elsewhere

    async def fetch(self, url: str) -> bytes:
        """The bytes that the job names; BadJobError, TooLargeError or FetchFailedError where they cannot be had."""
        if not url.startswith(SCHEME):
            return await self._elsewhere(url)
        sha256 = url.removeprefix(SCHEME)
        if not _SHA256.fullmatch(sha256):
            raise BadJobError(
                "The image_url of an upload must be upload: and its SHA-256 in 64 lowercase hexadecimal digits."
            )
        data = await self._bytes(upload_key(self._jobs, sha256))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise FetchFailedError("The upload is not the file that the job names.")
        return data

    async def _bytes(self, key: str) -> bytes:
        try:
            if await self._client.strlen(key) > self._max_bytes:
                raise TooLargeError(f"The upload is larger than the limit of {self._max_bytes} bytes.")
            data: bytes | None = await self._client.get(key)
        except REDIS_UNAVAILABLE:
            raise FetchFailedError("The upload could not be read from Redis.", retryable=True) from None
        if data is None:
            raise FetchFailedError("The upload was not found or has expired.")
        return data

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
