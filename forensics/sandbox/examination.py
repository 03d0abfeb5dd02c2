"""What runs inside a decoding process: a stranger's file, read under a memory limit."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from forensics.errors import DecodeFailedError
from forensics.examine import Examined, examine
from forensics.parent_watch import end_with_parent
from forensics.provenance.trust import install_trust_anchors
from forensics.reading.decode import DecodeLimits, decode
from forensics.sandbox.processes import clean

try:
    import resource
except ImportError:  # pragma: no cover - Windows has no such limits
    resource = None  # type: ignore[assignment]

T = TypeVar("T")


def prepare_process(trust_anchors: str | None) -> None:
    """Make this process a decoding process: trust installed, no secrets, no ear for signals, and no voice.

    Signals are meant for the one who asked, which finishes its work first and needs this process for that. Decoding
    libraries print a line for each thing wrong in a file, which a stranger can make millions; what matters comes back
    as an error.
    """
    end_with_parent()
    for name in set(os.environ) - set(clean(os.environ)):
        del os.environ[name]
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


def limited(memory_mb: int, function: Callable[..., T], *arguments: object) -> T:
    """The outcome of a call that may take so much memory; DecodeFailedError where it needs more."""
    with memory_limit(memory_mb):
        try:
            return function(*arguments)
        except MemoryError:
            raise DecodeFailedError(f"Decoding the image needs more than {memory_mb} MiB of memory.") from None


def examine_bytes(
    data: bytes, limits: DecodeLimits, analyzers: tuple[str, ...] | None, keep_pixels: bool, frame: int = 1
) -> Examined:
    """The evidence in one file; `sample` stays where `keep_pixels`. A JobError where there is no image in it."""
    sample = decode(data, limits, frame)
    evidence = examine(sample, analyzers)
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
