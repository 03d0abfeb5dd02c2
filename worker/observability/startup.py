"""What a worker says when its model is loaded: a block for people on a terminal, else one JSON line."""

import sys
import textwrap
from collections.abc import Mapping

import structlog

from forensics.printable import printable
from fusion.interface import About
from worker.settings import WorkerSettings

_NAME_WIDTH, _WIDTH = 11, 110


def tell_start(settings: WorkerSettings, about: About) -> None:
    """Say on stderr what this worker is made of: profile, device, detectors loaded or missing, streams, limits."""
    if sys.stderr.isatty():
        print(block(settings, about), file=sys.stderr)  # noqa: T201
        return
    structlog.get_logger("worker").info(
        "worker starts",
        profile=about.profile,
        device=about.device,
        fusion=about.fusion,
        fingerprint=about.fingerprint,
        detectors=list(about.present),
        missing=dict(about.missing),
        streams=dict(settings.queues),
        limits=limits(settings),
    )


def limits(settings: WorkerSettings) -> Mapping[str, float]:
    """The limits that decide what a job may take, by the names of their settings."""
    names = (
        "worker_in_flight",
        "worker_batch_size",
        "worker_lease_s",
        "worker_max_deliveries",
        "worker_retries",
        "worker_results_maxlen",
        "worker_decode_timeout_s",
        "fetch_max_bytes",
        "fetch_max_pixels",
        "fetch_timeout_s",
    )
    return {name: getattr(settings, name) for name in names} | {
        "decode_processes": settings.decode_processes,
        "worker_decode_memory_mb": settings.decode_memory_mb,
    }


def block(settings: WorkerSettings, about: About) -> str:
    """The same for people, a line or a few each."""
    lines = [
        ("profile", f"{about.profile} on {about.device}, fusion {about.fusion} ({about.fingerprint[:16]})"),
        ("detectors", ", ".join(about.present)),
        *(("missing", f"{name}: {reason}") for name, reason in about.missing.items()),
        *(("stream", f"{jobs} -> {results}") for jobs, results in settings.queues),
        (
            "at once",
            f"{settings.worker_in_flight} jobs, {settings.worker_batch_size} images a batch, "
            f"{settings.decode_processes} decoding processes of {settings.decode_memory_mb} MiB each",
        ),
        (
            "an image",
            f"{settings.fetch_max_bytes:,} bytes, {settings.fetch_max_pixels:,} pixels, {settings.fetch_timeout_s:g} s "
            f"to fetch, {settings.worker_decode_timeout_s:g} s to decode",
        ),
        (
            "a job",
            f"{settings.worker_lease_s:g} s of lease, {settings.worker_max_deliveries} deliveries, "
            f"{settings.worker_retries} retries of a fetch",
        ),
    ]
    return "\n".join(["worker", *(_wrapped(name, told) for name, told in lines)])


def _wrapped(name: str, told: str) -> str:
    return textwrap.fill(
        printable(told),
        _WIDTH,
        initial_indent=f"  {name:<{_NAME_WIDTH}}",
        subsequent_indent=" " * (_NAME_WIDTH + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
