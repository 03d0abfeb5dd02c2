"""Images that travel through Redis: read by their hash, under the worker's limits."""

import hashlib
from collections.abc import AsyncIterator

import pytest
import redis

from tests.worker.redis_server import RedisServer
from worker.errors import BadJobError, FetchFailedError, TooLargeError
from worker.fetching.uploads import UploadFetcher, upload_key

DATA = b"some bytes"
SHA256 = hashlib.sha256(DATA).hexdigest()


async def elsewhere(url: str) -> bytes:
    return b"fetched " + url.encode()


@pytest.fixture
async def uploads(client: "redis.Redis", redis_server: RedisServer) -> AsyncIterator[UploadFetcher]:
    fetcher = UploadFetcher(redis_server.url, "jobs", 10, elsewhere)
    yield fetcher
    await fetcher.close()


async def test_an_upload_is_read_and_other_addresses_are_fetched(uploads: UploadFetcher, client: "redis.Redis") -> None:
    client.set(upload_key("jobs", SHA256), DATA)
    assert await uploads.fetch(f"upload:{SHA256}") == DATA
    assert await uploads.fetch("https://example.com/") == b"fetched https://example.com/"


async def test_what_is_gone_changed_too_large_or_named_wrongly_is_told(
    uploads: UploadFetcher, client: "redis.Redis"
) -> None:
    with pytest.raises(FetchFailedError, match="not found or has expired"):
        await uploads.fetch(f"upload:{SHA256}")
    client.set(upload_key("jobs", SHA256), b"others")
    with pytest.raises(FetchFailedError, match="not the file"):
        await uploads.fetch(f"upload:{SHA256}")
    client.set(upload_key("jobs", SHA256), b"12345678901")
    with pytest.raises(TooLargeError):
        await uploads.fetch(f"upload:{SHA256}")
    for wrong in ("upload:", "upload:x", f"upload:{SHA256.upper()}", f"upload:{SHA256}:*"):
        with pytest.raises(BadJobError):
            await uploads.fetch(wrong)
