"""What a hostile image might make a decoding process do; imported by the process itself."""

import ctypes
import os
import time

from forensics.errors import NotAnImageError


def crash() -> None:
    ctypes.string_at(0)


def hang() -> None:
    while True:
        time.sleep(0.01)


def swell(wanted_mb: int) -> int:
    return len(bytearray(wanted_mb * 1024 * 1024))


def refuse() -> None:
    raise NotAnImageError("no", retryable=True)


def process_id() -> int:
    return os.getpid()
