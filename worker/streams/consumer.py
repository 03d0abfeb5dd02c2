"""This worker's name in its group: unlike any other's by construction, so that nobody takes it for somebody else."""

import os
import re
import secrets
import socket
from pathlib import Path

_LONGEST_PREFIX = 100


def consumer_name(chosen: str | None = None) -> str:
    """The chosen name or the host's, then this boot, this process and a random part.

    Two workers never share a name, also where host names, temporary folders and process ids are the same (containers,
    PrivateTmp). Names of workers that are gone are removed from the group once they hold nothing.
    """
    prefix = re.sub(r"[^\w.-]", "_", chosen or socket.gethostname())[:_LONGEST_PREFIX] or "worker"
    return f"{prefix}-{_boot()}-{os.getpid()}-{secrets.token_hex(4)}"


def _boot() -> str:
    """The first digits of what tells this start of the system from others; zeros where it does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        return "0" * 8
