"""What a network takes of a device's memory, measured without any where the network is on the meta device."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from img_ml.engine.low_precision import matrices
from img_ml.weights.record import Footprint


def footprint(network: nn.Module, core: Callable[[Tensor], Tensor], view: Sequence[int]) -> Footprint:
    """The footprint of a network whose core takes views of that shape, measured on the device where it is.

    The bytes of a view are the largest sum of what is alive at one time, in float32, input included.
    """
    counter = _Alive()
    device = next(network.parameters()).device
    with torch.inference_mode(), counter:
        core(torch.zeros(1, *view, device=device))
    return Footprint(
        parameters=sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers())),
        matrices=sum(parameter.numel() for parameter in matrices(network)),
        view_bytes=counter.most,
    )


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of the tensors that operations make, as long as somebody holds them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._now = 0
        self._seen = weakref.WeakSet[Any]()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        given = {id(_storage(leaf)) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and id(_storage(leaf)) not in given:
                self._hold(_storage(leaf))
        return result

    def _hold(self, storage: Any) -> None:
        if storage in self._seen:
            return
        self._seen.add(storage)
        size = storage.nbytes()
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._release, size).atexit = False

    def _release(self, size: int) -> None:
        self._now -= size


def _storage(tensor: Tensor) -> Any:
    return tensor.untyped_storage()
