"""What runs inside a decoding process: one image, decoded and examined under a memory limit."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from forensics.errors import DecodeFailedError
from forensics.examine import Examined, examine
from forensics.provenance.trust import install_trust_anchors
from forensics.reading.decode import DecodeLimits, decode

try:
    import resource
except ImportError:  # pragma: no cover - Windows has no such limits
    resource = None  # type: ignore[assignment]


def prepare_process(trust_anchors: str | None) -> None:
    """Make this process a decoding process: trust installed, no ear for signals meant for the worker, and no voice.

    A service manager or a terminal signals the whole group; the worker finishes its jobs first, and needs this
    process for that. Decoding libraries print a line for each thing wrong in a file, which a stranger can make
    millions; what matters comes back as an error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if trust_anchors is not None:
        install_trust_anchors(trust_anchors)
    _silence_output()


def _silence_output() -> None:
    """Lead standard output and standard error nowhere, for C libraries too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:  # a process without a terminal may have none
            stream.flush()
    for number in (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)


def examine_bytes(
    data: bytes, limits: DecodeLimits, analyzers: tuple[str, ...], keep_pixels: bool, memory_mb: int
) -> Examined:
    """The evidence in one file; `sample` stays where `keep_pixels`. A JobError where there is no image in it."""
    with memory_limit(memory_mb):
        try:
            sample = decode(data, limits)
            evidence = examine(sample, analyzers)
        except MemoryError:
            raise DecodeFailedError(f"Decoding the image needs more than {memory_mb} MiB of memory.") from None
    return Examined(evidence, sample if keep_pixels else None)


def ready() -> int:
    """The process id, as a sign that the process is up with everything imported."""
    return os.getpid()


@contextlib.contextmanager
def memory_limit(megabytes: int) -> Iterator[None]:
    """Let this process grow by at most so much address space; without effect where the system cannot do it."""
    used = _address_space()
    if resource is None or used is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int | None:
    """Bytes of address space in use, as Linux tells; None elsewhere."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
