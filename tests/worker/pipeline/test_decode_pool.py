"""Decoding processes: whatever an image does there, it does to itself."""

import asyncio
import contextlib
import io
import os
import random
import signal
import time
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from forensics.errors import DecodeFailedError, NotAnImageError, TooManyPixelsError
from forensics.reading.decode import DecodeLimits, decode
from forensics.sandbox import examination
from forensics.sandbox.sandbox import SandboxRules
from tests.worker import hostile, web
from worker.pipeline.decode_pool import DecodePool


@pytest.fixture
async def pool() -> AsyncIterator[DecodePool]:
    opened = DecodePool(SandboxRules(processes=1, timeout_s=5, memory_mb=1024, limits=DecodeLimits(1_000_000)))
    yield opened
    await asyncio.to_thread(opened.close)


async def test_evidence_comes_back_with_the_pixels_only_when_wanted(pool):
    with_pixels = await pool.examine(web.photo(1), (), True)
    assert (with_pixels.evidence.width, with_pixels.evidence.height) == (96, 64)
    assert with_pixels.sample.pixels.shape == (64, 96, 3)
    without = await pool.examine(web.photo(1), (), False)
    assert without.sample is None
    assert without.evidence.image_sha256 == with_pixels.evidence.image_sha256


async def test_the_errors_of_an_image_come_back_as_they_are(pool):
    with pytest.raises(NotAnImageError):
        await pool.examine(b"<html>", (), False)
    with pytest.raises(TooManyPixelsError):
        await pool.examine(web.photo(1, (1200, 1000), "PNG"), (), False)


async def test_a_crash_fails_its_image_and_no_other(pool):
    with pytest.raises(DecodeFailedError, match="crashed"):
        await crashing(pool)
    assert (await pool.examine(web.photo(1), (), False)).evidence.width == 96


async def crashing(pool: DecodePool):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examination, "examine_bytes", _crash)
        return await pool.examine(b"", (), False)


def _crash(*_: object) -> None:
    hostile.crash()


async def test_a_hanging_decoder_is_killed_at_its_time_limit():
    pool = DecodePool(SandboxRules(processes=1, timeout_s=0.5))
    try:
        await pool._run(hostile.process_id, ())
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            await pool._run(hostile.hang, ())
        assert time.monotonic() - started < 4
        await pool._run(hostile.process_id, ())
    finally:
        await asyncio.to_thread(pool.close)


async def test_memory_is_limited_while_decoding_and_free_again_after(pool):
    for _ in range(2):
        with pytest.raises(DecodeFailedError, match="more than 1024 MiB"):
            await pool._run(hostile.swell, (1200,))
        assert await pool._run(hostile.swell, (800,)) == 800 * 1024 * 1024


async def test_an_error_keeps_whether_to_try_again(pool):
    with pytest.raises(NotAnImageError) as caught:
        await pool._run(hostile.refuse, ())
    assert caught.value.retryable


async def test_the_processes_do_not_listen_to_signals_meant_for_the_worker(pool):
    number = await pool._run(hostile.process_id, ())
    os.kill(number, signal.SIGTERM)
    os.kill(number, signal.SIGINT)
    assert await pool._run(hostile.process_id, ()) == number


async def test_a_process_killed_from_outside_is_replaced(pool):
    number = await pool._run(hostile.process_id, ())
    os.kill(number, signal.SIGKILL)
    for _ in range(50):
        with contextlib.suppress(DecodeFailedError):
            if (await pool.examine(web.photo(1), (), False)).evidence.width == 96:
                break
    assert await pool._run(hostile.process_id, ()) != number


def talkative_tiff() -> bytes:
    """A fax of random bytes: libtiff prints a line on standard error for nearly every line of it."""
    target = io.BytesIO()
    Image.new("1", (64, 2000)).save(target, "TIFF", compression="group3", strip_size=1 << 20)
    with Image.open(target) as image:
        start, length = image.tag_v2[273][0], image.tag_v2[279][0]
    data = target.getvalue()
    return data[:start] + random.Random(1).randbytes(length) + data[start + length :]


async def test_what_libraries_print_about_a_file_does_not_reach_the_log(capfd):
    decode(talkative_tiff())
    assert capfd.readouterr().err.count("\n") > 1000
    pool = DecodePool(SandboxRules(processes=1))
    try:
        await pool.examine(talkative_tiff(), (), False)
    finally:
        await asyncio.to_thread(pool.close)
    assert capfd.readouterr() == ("", "")


async def test_closing_leaves_no_process(pool):
    number = await pool._run(hostile.process_id, ())
    await asyncio.to_thread(pool.close)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
