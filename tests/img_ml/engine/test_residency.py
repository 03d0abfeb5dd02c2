"""Networks that take turns: one at a time on the device, unchanged when they come back."""

import pytest
import torch
from torch import nn

from img_ml.engine.residency import Residency


def network(value: float) -> nn.Module:
    made = nn.BatchNorm1d(4).eval().requires_grad_(False)
    nn.init.constant_(made.weight, value)
    return made


def places(network: nn.Module) -> list[int]:
    """Where its tensors lie in memory."""
    return [tensor.data_ptr() for tensor in (*network.parameters(), *network.buffers())]


class Device:
    """A residency of three networks, of which two take turns; tells which of them are not where they wait."""

    def __init__(self) -> None:
        self.networks = {"first": network(1), "second": network(2), "third": network(3)}
        self.residency = Residency("cpu")
        for name in ("first", "second"):
            self.residency.share(name, self.networks[name])
        self._waiting = {name: places(one) for name, one in self.networks.items()}

    def holds(self) -> list[str]:
        return [name for name, one in self.networks.items() if places(one) != self._waiting[name]]


def test_one_network_is_on_the_device_at_a_time_and_only_changes_are_moves() -> None:
    device = Device()
    assert device.holds() == []
    turns = [("first", "first", 1), ("first", "first", 1), ("third", "first", 1), ("second", "second", 2)]
    for name, there, moves in [*turns, ("first", "first", 3)]:
        with device.residency.present(name):
            assert device.holds() == [there]
        assert device.residency.moves == moves


def test_weights_are_the_same_after_many_turns() -> None:
    first, second = network(1), network(2)
    residency = Residency("cpu")
    residency.share("first", first)
    residency.share("second", second)
    for _ in range(3):
        for name, one, value in (("first", first, 1.0), ("second", second, 2.0)):
            with residency.present(name):
                assert torch.equal(one.weight, torch.full((4,), value))
    assert residency.moves == 6


def test_a_network_that_could_not_come_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    device = Device()
    with device.residency.present("first"):
        pass
    with monkeypatch.context() as patch:
        patch.setattr("img_ml.engine.residency._Waiting.come", full)
        with pytest.raises(torch.OutOfMemoryError), device.residency.present("second"):
            pass
    assert device.holds() == []
    with device.residency.present("second"):
        assert device.holds() == ["second"]
