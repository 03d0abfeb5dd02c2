"""Matrices kept in low precision: the numbers of autocast, in half the memory, and float32 where it is asked for."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from img_ml.engine.low_precision import in_float32, lower, matrices


class Network(nn.Module):
    """A convolution, attention and linear layers, one weight shared by two."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)
        self.second.weight = self.first.weight

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.norm(self.patches(pixels).flatten(2).transpose(1, 2))
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return self.second(torch.relu(self.first(tokens))).mean(dim=1)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def as_on_cuda() -> Iterator[None]:
    """Attention takes a road of its own on a CPU, which autocast on cuda does not leave open."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


@torch.inference_mode()
def outputs(network: nn.Module, dtype: torch.dtype | None) -> Tensor:
    pixels = torch.rand((2, 3, 16, 16), generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        return network(pixels).float()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_rounding_once_gives_what_autocast_gives(network: Network, dtype: torch.dtype) -> None:
    expected = outputs(network, dtype)
    lower(network, dtype)
    assert torch.equal(outputs(network, dtype), expected)


def test_matrices_are_rounded_and_nothing_else(network: Network) -> None:
    lower(network, torch.float16)
    narrow = {name for name, parameter in network.named_parameters() if parameter.dtype == torch.float16}
    assert narrow == {
        "attention.in_proj_weight", "attention.in_proj_bias", "attention.out_proj.weight", "attention.out_proj.bias",
        "first.weight", "first.bias", "second.bias",
    }  # fmt: skip
    assert network.second.weight is network.first.weight


def test_each_matrix_is_told_once(network: Network) -> None:
    assert len({id(parameter) for parameter in matrices(network)}) == len(matrices(network)) == 7


def test_in_float32_every_layer_computes_in_float32_and_is_narrow_again_afterwards(network: Network) -> None:
    exact = outputs(network, None)
    lower(network, torch.float16)
    with in_float32(network):
        found = outputs(network, None)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=1e-3, rtol=1e-2)
    assert network.first.weight.dtype == network.attention.in_proj_weight.dtype == torch.float16


def test_after_a_failure_in_float32_the_layers_are_narrow_again(network: Network) -> None:
    lower(network, torch.float16)
    with pytest.raises(RuntimeError), in_float32(network):
        network.first(torch.zeros(1, 3))
    assert network.first.weight.dtype == torch.float16


def test_weights_beyond_the_range_stay_as_they_are(network: Network) -> None:
    network.first.bias.fill_(1e5)
    lower(network, torch.float16)
    assert network.first.bias.dtype == torch.float32
    assert network.first.weight.dtype == torch.float16


def test_a_layer_that_does_something_of_its_own_with_its_weights_is_left_alone() -> None:
    class Constrained(nn.Linear):
        def forward(self, values: Tensor) -> Tensor:
            return values @ (self.weight / self.weight.sum())

    own = Constrained(4, 4)
    lower(own, torch.float16)
    assert own.weight.dtype == torch.float32
