"""Networks that take turns on a device: one of them is there at a time, the others wait in the host's memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Residency:
    """Brings a network to the device when it is asked for, and lets go of the one that was there.

    Weights do not change, so only the way to the device is a copy; on cuda it is made out of pinned memory. `moves`
    counts the networks brought so far.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._waiting: dict[str, _Waiting] = {}
        self._there = ""
        self.moves = 0

    def share(self, name: str, network: nn.Module) -> None:
        """From now on the network takes turns; it leaves the device."""
        self._waiting[name] = _Waiting(network, pinned=self._device.type == "cuda")

    @contextmanager
    def present(self, name: str) -> Iterator[None]:
        """In the block the network is on the device; one that takes no turns is there always."""
        if name in self._waiting and name != self._there:
            if self._there:
                self._waiting[self._there].leave()
            self._there = ""
            try:
                self._waiting[name].come(self._device)
            except BaseException:
                self._waiting[name].leave()
                raise
            self._there = name
            self.moves += 1
        yield


class _Waiting:
    """A network's tensors in the host's memory, and the way to the device and back."""

    def __init__(self, network: nn.Module, *, pinned: bool) -> None:
        self._tensors = [*network.parameters(), *network.buffers()]
        self._host: list[Tensor] = []
        for tensor in self._tensors:
            on_host = tensor.data.cpu()
            self._host.append(on_host.pin_memory() if pinned else on_host)
        self.leave()

    def come(self, device: torch.device) -> None:
        for tensor, host in zip(self._tensors, self._host, strict=True):
            tensor.data = host.to(device, non_blocking=True, copy=True)

    def leave(self) -> None:
        for tensor, host in zip(self._tensors, self._host, strict=True):
            tensor.data = host
