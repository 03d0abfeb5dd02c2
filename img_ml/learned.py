"""One learned detector of a profile: loaded, or the reason why not; a batch that fails is halved down to what works."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from forensics.errors import ImgMlError
from forensics.examine import checked
from forensics.registry import Detector, Registered, Setup
from forensics.types import ImageSample, Signal, Skipped

Finish = Callable[[], list[Signal]]


class Learned:
    """Signals of one learned detector, whatever goes wrong with its weights, an image, or the device's memory.

    `reason` says why it cannot measure, empty where it can. `mark` tells its weights, where it tells them itself.
    `detector` is the loaded one. Whatever `present` gives is entered around every call of it.
    """

    def __init__(self, entry: Registered, setup: Setup, refused: str = "") -> None:
        """Load the detector; one that cannot be loaded is skipped with the reason, as is one that was `refused`."""
        self._entry = entry
        self.detector, self.reason = (None, refused) if refused else _load(entry, setup)
        self.present: Callable[[], AbstractContextManager[None]] | None = None
        self._most: int | None = None  # images that fit into the device's memory at once; None: not yet known

    @property
    def name(self) -> str:
        """The detector's name."""
        return self._entry.spec.name

    @property
    def mark(self) -> str:
        """The beginning of the hash of its weights, empty where there is none."""
        return str(getattr(self.detector, "weights_sha256", ""))[:16]

    def signals(self, samples: Sequence[ImageSample | None]) -> list[Signal]:
        """One signal per sample, in order; an image that makes its batch fail fails alone."""
        if self.detector is None:
            return [Skipped(self.name, self.reason)] * len(samples)
        with nullcontext() if self.present is None else self.present():
            return self._measured(self.detector, self._with_pixels(samples))

    def started(self, samples: Sequence[ImageSample | None]) -> Finish:
        """The same in two steps, where the detector can: the device is given the work, the result waits for it."""
        begin: Any = getattr(self.detector, "started", None)
        if begin is None or self.present is not None or self._most is not None:
            signals = self.signals(samples)
            return lambda: signals
        present = self._with_pixels(samples)
        try:
            finish: Finish = begin(present)
        except Exception:  # noqa: BLE001 - the boundary: once more, carefully
            return lambda: self.signals(samples)

        def finished() -> list[Signal]:
            try:
                return [checked(self._entry, signal) for signal in finish()]
            except Exception:  # noqa: BLE001, S110 - the boundary: once more, carefully
                pass
            return self.signals(samples)

        return finished

    def _with_pixels(self, samples: Sequence[ImageSample | None]) -> list[ImageSample]:
        present = [sample for sample in samples if sample is not None]
        if len(present) != len(samples):
            raise ValueError(f"{self.name} needs the pixels of every image of the batch")
        return present

    def _measured(self, detector: Detector, samples: Sequence[ImageSample]) -> list[Signal]:
        if self._most is not None and len(samples) > self._most:
            return self._in_two(detector, samples, self._most)
        try:
            return [checked(self._entry, signal) for signal in detector(samples)]
        except Exception as error:  # noqa: BLE001 - the boundary: find the image at fault, spare its neighbours
            failure = f"{type(error).__name__}: {error}"
            memory = _is_out_of_memory(error)
        # Out of the handler, so that nothing of the failed attempt is held any longer.
        if memory:
            _free_device_memory()
        if len(samples) == 1:
            return [Skipped.broken(self.name, failure)]
        half = len(samples) // 2
        if memory:
            # Remembered: the next batch shall not run into the same wall.
            self._most = half
        return self._in_two(detector, samples, half)

    def _in_two(self, detector: Detector, samples: Sequence[ImageSample], first: int) -> list[Signal]:
        return [*self._measured(detector, samples[:first]), *self._measured(detector, samples[first:])]


def _load(entry: Registered, setup: Setup) -> tuple[Detector | None, str]:
    assert entry.load is not None
    try:
        return entry.load(setup), ""
    except ImgMlError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - the boundary: a broken model file may not stop the others
        return None, f"could not be loaded: {type(error).__name__}: {error}"


def _is_out_of_memory(error: Exception) -> bool:
    """Whether the device's memory ran out: torch's own error, or one of its older or other devices' by the message."""
    return type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    )


def _free_device_memory() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
