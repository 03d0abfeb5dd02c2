"""A core compiled by torch; where that fails, the plain core with a word about it."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from img_ml.engine.device import Compile

Core = Callable[[Tensor], Tensor]

log = logging.getLogger(__name__)


def compile_core(core: Core, how: Compile, device: torch.device) -> Core:
    """The core as `how` says: `compile` by torch.compile, `graphs` with its kernels replayed as CUDA graphs, too."""
    if how == "compile":
        return _WithFallback(torch.compile(core, dynamic=False), core, "torch.compile")
    if how == "graphs":
        if device.type == "cuda":
            quick = torch.compile(core, dynamic=False, mode="reduce-overhead")
            # The next replay writes to the same place.
            return _WithFallback(lambda batch: quick(batch).clone(), core, "torch.compile with CUDA graphs")
        log.warning("CUDA graphs need cuda; the networks run without them on %s.", device.type)
    return core


class _WithFallback:
    """One core until it fails, then the plain one for good."""

    def __init__(self, quick: Core, plain: Core, name: str) -> None:
        self._core, self._plain, self._name = quick, plain, name

    def __call__(self, batch: Tensor) -> Tensor:
        if self._core is self._plain:
            return self._plain(batch)
        try:
            return self._core(batch)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: compilers fail in every way there is
            told = str(error).strip().partition("\n")[0]
            log.warning("%s failed, the network runs without it: %s: %s", self._name, type(error).__name__, told)
            self._core = self._plain
        return self._plain(batch)
