"""The settings of the sandbox: what one image may cost, wherever it is decoded."""

import os

from pydantic import Field

from forensics.reading.decode import DecodeLimits
from forensics.sandbox.memory import memory_mb
from forensics.sandbox.sandbox import SandboxRules
from forensics.settings import ProjectSettings

_MOST_MB, _LEAST_MB = 4096, 256
# Of the memory that there is; the rest is for the networks and the program itself.
_SHARE = 0.75


class SandboxSettings(ProjectSettings):
    """What decoding may cost; the worker's names, because a file must not fare otherwise in the other commands."""

    worker_decode_processes: int = Field(
        0, ge=0, le=256, description="Processes that decode and examine images; 0: one per core, at most 8."
    )
    worker_decode_timeout_s: float = Field(
        20, gt=0, le=3600, description="Seconds after which the decoding of one image is killed."
    )
    worker_decode_memory_mb: int | None = Field(
        None,
        ge=64,
        description="Memory one image may take while it is decoded and examined, in MiB; unset: three quarters of the "
        "machine's (or of its control group's) shared by the processes, at least 256 and at most 4096.",
    )
    fetch_max_pixels: int = Field(
        64_000_000,
        ge=1,
        description="Maximum pixels (width x height) of an image; a larger JPEG is decoded at a fraction of its size.",
    )

    @property
    def decode_processes(self) -> int:
        """The number of decoding processes, with 0 resolved to this machine's cores (at most 8)."""
        if self.worker_decode_processes:
            return self.worker_decode_processes
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return min(8, cores or 1)

    @property
    def decode_memory_mb(self) -> int:
        """Memory for one image in MiB, from the machine's where it is not set."""
        if self.worker_decode_memory_mb is not None:
            return self.worker_decode_memory_mb
        there = memory_mb()
        share = _MOST_MB if there is None else int(there * _SHARE / self.decode_processes)
        return max(_LEAST_MB, min(_MOST_MB, share))

    def sandbox_rules(
        self, trust_anchors: str | None = None, processes: int | None = None, *, as_published: bool = False
    ) -> SandboxRules:
        """The rules of a sandbox; `trust_anchors` are PEM certificates beside the official ones."""
        return SandboxRules(
            processes or self.decode_processes,
            self.worker_decode_timeout_s,
            self.decode_memory_mb,
            DecodeLimits(self.fetch_max_pixels, as_published),
            trust_anchors,
        )
