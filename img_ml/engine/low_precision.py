"""Matrices of a network kept in the precision it computes in: half the memory, and no cast at each forward pass.

Autocast rounds the weights of linear and attention layers each time they are used. Rounding them once gives the same
numbers. Everything else stays float32: norms, scales, position embeddings, and convolutions, which are small.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn


def matrices(network: nn.Module) -> list[nn.Parameter]:
    """Each weight and bias that may be kept so, once."""
    return list({id(one): one for layer in _layers(network) for one in layer.parameters()}.values())


def lower(network: nn.Module, dtype: torch.dtype) -> None:
    """Round the matrices to `dtype`, in place; those with values beyond its range stay as they are."""
    most = torch.finfo(dtype).max
    for parameter in matrices(network):
        if parameter.dtype == torch.float32 and bool(parameter.abs().max() <= most):
            parameter.data = parameter.data.to(dtype)


@contextmanager
def in_float32(network: nn.Module) -> Iterator[None]:
    """Within the block every layer computes in float32, with the rounded weights; one layer at a time is widened."""
    with ExitStack() as hooks:
        for layer in _layers(network):
            narrow = [parameter for parameter in layer.parameters() if parameter.dtype != torch.float32]
            for hook in _widening(layer, narrow):
                hooks.callback(hook.remove)
        yield


def _widening(layer: nn.Module, parameters: list[nn.Parameter]) -> Iterator[torch.utils.hooks.RemovableHandle]:
    kept: list[Tensor] = [parameter.data for parameter in parameters]

    def widen(*_: object) -> None:
        for parameter, data in zip(parameters, kept, strict=True):
            parameter.data = data.float()

    def narrow(*_: object) -> None:
        for parameter, data in zip(parameters, kept, strict=True):
            parameter.data = data

    yield layer.register_forward_pre_hook(widen)
    yield layer.register_forward_hook(narrow, always_call=True)


def _layers(network: nn.Module) -> list[nn.Module]:
    """The layers whose matrices may be rounded, each as it is called: attention calls its last projection itself."""
    inner = {id(layer.out_proj) for layer in network.modules() if isinstance(layer, nn.MultiheadAttention)}
    return [layer for layer in network.modules() if id(layer) not in inner and _is_plain(layer)]


def _is_plain(layer: nn.Module) -> bool:
    """Whether the layer does with its weights what its class does, and not something of its own."""
    forward = type(layer).forward
    return forward is nn.Linear.forward or forward is nn.MultiheadAttention.forward
