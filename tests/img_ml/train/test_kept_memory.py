"""Memory that a step frees is there for the next one."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from img_ml.train.kept_memory import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
def step():
    for _ in range(4):
        np.ones(40_000_000, dtype=np.uint8)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_large_blocks_are_not_given_back_after_every_step() -> None:
    plain, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("plain", "kept")
    )
    assert kept < plain / 10
