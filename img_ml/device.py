"""Which device learned detectors run on; torch is imported only when it is asked for."""


def choose_device(wanted: str = "auto") -> str:
    """The device string for torch: `wanted` itself, or for "auto" the first of cuda, mps, cpu that is there."""
    if wanted != "auto":
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
