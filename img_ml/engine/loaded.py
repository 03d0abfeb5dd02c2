"""One learned detector of a profile: loaded, or the reason why not; a batch that fails is halved down to what works."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from forensics.errors import ImgMlError
from forensics.examine import checked
from forensics.registry import Detector, Registered, Setup
from forensics.types import Heatmap, ImageSample, Signal, Skipped
from img_ml.engine.abilities import DrawsMap, Finish, HoldsOut, MarksWeights, StartsEarly
from img_ml.extras import needed_part

# So many calls that went well under a remembered limit, and twice as much is tried: memory that somebody else had taken
# is used again, and where it stays taken, one failed call in so many costs next to nothing.
_CALLS_BEFORE_MORE = 50


class LearnedDetector:
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
        self._too_many = 0  # images that did not fit when that became known
        self._went_well = 0  # calls since then

    @property
    def name(self) -> str:
        """The detector's name."""
        return self._entry.spec.name

    @property
    def mark(self) -> str:
        """The beginning of the hash of its weights, empty where there is none."""
        return self.detector.weights_sha256[:16] if isinstance(self.detector, MarksWeights) else ""

    def signals(self, samples: Sequence[ImageSample | None]) -> list[Signal]:
        """One signal per sample, in order; an image that makes its batch fail fails alone."""
        if self.detector is None:
            return [Skipped(self.name, self.reason)] * len(samples)
        with nullcontext() if self.present is None else self.present():
            return self._measured(self.detector, self._with_pixels(samples))

    @property
    def held_out(self) -> Mapping[str, int]:
        """By the mark of a source that it learned from, the member that did not; empty for other detectors."""
        return self.detector.held_out if isinstance(self.detector, HoldsOut) else {}

    def located(self, sample: ImageSample) -> Heatmap | None:
        """The map that the detector draws when it is asked to; None where it draws none, or fails."""
        try:
            return self.detector.locate(sample) if isinstance(self.detector, DrawsMap) else None
        except Exception:  # noqa: BLE001 - the boundary: a picture for people, without which the verdict stands
            return None

    def started(self, samples: Sequence[ImageSample | None]) -> Finish:
        """The same in two steps, where the detector can: the device is given the work, the result waits for it."""
        detector = self.detector
        if not isinstance(detector, StartsEarly) or self.present is not None or self._most is not None:
            signals = self.signals(samples)
            return lambda: signals
        present = self._with_pixels(samples)
        try:
            finish = detector.started(present)
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
            signals = [checked(self._entry, signal) for signal in detector(samples)]
        except Exception as error:  # noqa: BLE001 - the boundary: find the image at fault, spare its neighbours
            failure = f"{type(error).__name__}: {error}"
            memory = _is_out_of_memory(error)
        else:
            self._try_more()
            return signals
        # Out of the handler, so that nothing of the failed attempt is held any longer.
        if memory:
            _free_device_memory()
        if len(samples) == 1:
            return [Skipped.broken(self.name, failure)]
        half = len(samples) // 2
        if memory:
            # Remembered: the next batch shall not run into the same wall.
            self._most, self._too_many, self._went_well = half, max(self._too_many, len(samples)), 0
        return self._in_two(detector, samples, half)

    def _try_more(self) -> None:
        """Count a call that went well; after enough of them the limit is doubled, and gone where it was met first."""
        if self._most is None:
            return
        self._went_well += 1
        if self._went_well < _CALLS_BEFORE_MORE:
            return
        self._most, self._went_well = 2 * self._most, 0
        if self._most >= self._too_many:
            self._most, self._too_many = None, 0

    def _in_two(self, detector: Detector, samples: Sequence[ImageSample], first: int) -> list[Signal]:
        return [*self._measured(detector, samples[:first]), *self._measured(detector, samples[first:])]


def _load(entry: Registered, setup: Setup) -> tuple[Detector | None, str]:
    assert entry.load is not None
    try:
        return entry.load(setup), ""
    except ImgMlError as error:
        return None, str(error)
    except ModuleNotFoundError as error:
        return None, needed_part(error) or f"could not be loaded: {error}"
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
