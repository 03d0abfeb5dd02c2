"""Which device learned detectors run on, and how much of it they may use; torch is imported only when asked for."""

from dataclasses import dataclass
from typing import Literal

from forensics.errors import DeviceError

Compile = Literal["off", "compile", "graphs"]
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """How an accelerator is used: `memory` in GiB (None: all of it, 0: as if it had no end), the most `views` that a
    network gets at once, and whether networks run compiled."""

    memory: float | None = None
    views: int = 8
    compiled: Compile = "off"


def choose_device(wanted: str = "auto") -> str:
    """The device string for torch: `wanted` itself, or for "auto" the first of cuda, mps, cpu that is there.

    DeviceError where a device is wanted that is not there.
    """
    if wanted == "cpu":
        return wanted
    try:
        import torch
    except ModuleNotFoundError:
        if wanted != "auto":
            raise
        # Each detector that needs it says so by itself.
        return "cpu"

    if wanted != "auto":
        kind = wanted.partition(":")[0]
        here = torch.backends.mps.is_available() if kind == "mps" else torch.cuda.is_available()
        if not here:
            raise DeviceError(f"IMG_ML_DEVICE is {wanted}, but torch finds no {kind} device: choose cpu or auto.")
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def memory_of(device: str, wanted: float | None) -> float | None:
    """The GiB that networks may take on a device: what was wanted, else all it has; None for no limit."""
    if device == "cpu" or wanted == 0:
        return None
    if wanted is not None or not device.startswith("cuda"):
        return wanted
    import torch

    return torch.cuda.mem_get_info(device)[1] / GIB


def limit_memory(device: str, memory: float | None) -> None:
    """Make torch give no more than so many GiB on a CUDA device, for others run there too."""
    if memory is None or not device.startswith("cuda"):
        return
    import torch

    index = torch.device(device).index or 0
    share = memory * GIB / torch.cuda.mem_get_info(index)[1]
    torch.cuda.set_per_process_memory_fraction(min(share, 1.0), index)
