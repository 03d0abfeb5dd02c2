"""What a device does while a block of work runs: time to the end of the last kernel, busy share, peak memory."""

import resource
import sys
import time
from collections.abc import Callable, Iterable

import torch

from benchmarks.support.machine import MIB

Work = Callable[[], object]


def seconds(work: Work, device: str) -> float:
    """How long the work takes, until the device has finished it."""
    synchronize(device)
    started = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - started


def busy_share(work: Work, device: str) -> float:
    """The share of the time in which a kernel runs; on a CPU the CPU time to the time, which several cores share."""
    if device.startswith("cuda"):
        return _kernel_share(work, device)
    cpu = time.process_time()
    took = seconds(work, device)
    return (time.process_time() - cpu) / took


def _kernel_share(work: Work, device: str) -> float:
    from torch.profiler import ProfilerActivity, profile

    # Kernels alone: what the host does would slow it down if it were noted too.
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        took = seconds(work, device)
    kernels = [event.time_range for event in profiler.events() if event.device_type.name == "CUDA"]
    return covered((one.start, one.end) for one in kernels) / 1e6 / took


def synchronize(device: str) -> None:
    """Wait until a device has done all it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def forget_peak(device: str) -> None:
    """Peak memory counts from now on, where a device counts it."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_mib(device: str) -> dict[str, int]:
    """The most memory so far: of the device, as torch took and as it used it, and of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    found = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // MIB}
    if device.startswith("cuda"):
        found["device_used"] = torch.cuda.max_memory_allocated(device) // MIB
        found["device_taken"] = torch.cuda.max_memory_reserved(device) // MIB
    return found


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """The length that intervals cover together."""
    total, end = 0.0, float("-inf")
    for first, last in sorted(intervals):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total
