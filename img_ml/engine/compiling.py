"""A core compiled by torch, or recorded as a CUDA graph; where either fails, the plain core with a word about it."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from img_ml.engine.device import Compile

Core = Callable[[Tensor], Tensor]
# Recorded shapes of one network: more than that, and recording takes longer than it saves.
_MOST_GRAPHS = 4
_WARM_UPS = 3

log = logging.getLogger(__name__)


def faster(core: Core, how: Compile, device: torch.device) -> Core:
    """The core as `how` says: `compile` by torch.compile, `graphs` recorded once for each shape and replayed."""
    if how == "compile":
        return _OrPlain(torch.compile(core, dynamic=False), core, "torch.compile")
    if how == "graphs":
        if device.type == "cuda":
            return _OrPlain(_Recorded(core), core, "recording a CUDA graph")
        log.warning("CUDA graphs need cuda; the networks run without them on %s.", device.type)
    return core


class _OrPlain:
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


class _Recorded:
    """Replays the kernels of one forward pass for each shape: nothing is launched one by one any more."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def __call__(self, batch: Tensor) -> Tensor:
        if batch.shape not in self._graphs:
            if len(self._graphs) == _MOST_GRAPHS:
                return self._core(batch)
            self._graphs[batch.shape] = self._record(batch)
        graph, given, made = self._graphs[batch.shape]
        given.copy_(batch)
        graph.replay()
        # The next replay writes to the same place.
        return made.clone()

    def _record(self, batch: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        given = batch.clone()
        current, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        # What libraries set up at the first call must not become part of the graph.
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._core(given)
        current.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            made = self._core(given)
        return graph, given, made
