"""Whole images at their own resolution, one after the other: no two have the same shape."""

from img_ml.detectors._torch import TorchDetector
from img_ml.engine.device import Compile


class WholeImages(TorchDetector):
    """A detector whose view is the image itself."""

    def follow(self, micro_batch: int, compiled: Compile = "off") -> None:
        """Never compiled: every shape would be compiled anew."""
        super().follow(micro_batch)
