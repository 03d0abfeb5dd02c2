"""Memory of a training stays with its process: what a step frees, the next one takes again."""

import ctypes
from contextlib import suppress

# Parameters of glibc's mallopt, and how much is kept and taken at a time (bytes).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_KEPT, _TAKEN = 2**31 - 1, 64 * 2**20


def keep_memory() -> None:
    """Have the C library keep what is freed; nothing happens where it is not glibc.

    Otherwise every step gives its large blocks back to the system and faults them in again, page by page.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_TOP_PAD, _TAKEN)
