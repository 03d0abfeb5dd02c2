"""What a detector may do beside measuring: each ability is a protocol that its class names as a base.

The engine asks with isinstance, so that a detector without an ability needs to say nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from forensics.types import Heatmap, ImageSample, Signal
from img_ml.engine.device import Compile

if TYPE_CHECKING:
    from torch import nn

Finish = Callable[[], list[Signal]]


@runtime_checkable
class MarksWeights(Protocol):
    """Its measurements are told apart from those of other weights: `weights_sha256` is the hash over its files."""

    weights_sha256: str


@runtime_checkable
class HoldsOut(Protocol):
    """Its members learned in folds: `held_out` maps the mark of a source to the member that did not learn from it."""

    held_out: Mapping[str, int]


@runtime_checkable
class DrawsMap(Protocol):
    """It draws a map when somebody asks for one."""

    def locate(self, sample: ImageSample) -> Heatmap | None:
        """The map over the image; None where there is none to draw."""
        ...


@runtime_checkable
class StartsEarly(Protocol):
    """It gives its device the work first and waits for the result later, so that the host may go on."""

    def started(self, samples: Sequence[ImageSample]) -> Finish:
        """Start on the samples; the call that comes back waits for their signals."""
        ...


@runtime_checkable
class FollowsDevice(Protocol):
    """It works in micro-batches as the memory plan says; `module` is its network, None where it cannot be moved."""

    module: "nn.Module | None"

    def follow(self, micro_batch: int, compiled: Compile = "off") -> None:
        """Take micro-batches of that size, compiled or not."""
        ...
