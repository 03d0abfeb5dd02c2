"""Members of one kind as a single ONNX graph: what the detector runs without torch."""

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from img_ml.engine.onnx_session import Members, session_of
from img_ml.networks.position_logits import PositionLogits
from img_ml.train.onnx_trace import onnx_graph

# Tensors of fewer values are kept as they are: there is little to gain. The first that changes little is taken.
_SMALLEST_HALVED = (512, 8192, 32768)
# The most that a logit may change where the weights are stored in half precision.
MOST_CHANGE = 0.01


class _Graph(nn.Module):
    """Pixels n x H x W x 3 (uint8) for each member in; of each the logits (n,), then of each the maps n x h x w."""

    def __init__(self, members: Sequence[PositionLogits]) -> None:
        super().__init__()
        self._members = members
        self.kept = nn.ModuleList(members)

    def forward(self, *pixels: Tensor) -> tuple[Tensor, ...]:
        images = [one.permute(0, 3, 1, 2).float() for one in pixels]
        maps = [member.maps(one) for member, one in zip(self._members, images, strict=True)]
        return (*(one.mean(dim=(1, 2)) for one in maps), *maps)


def exported(members: Sequence[PositionLogits], largest: int) -> bytes:
    """The graph of the members, which need not be in evaluation mode.

    Where a member takes more than `largest` bytes, weights are stored in half precision, as many of them as leave every
    logit of some noise within MOST_CHANGE of what it was.
    """
    data = _traced(members)
    if len(data) <= largest * len(members):
        return data
    exact = _logits(data)
    for smallest in _SMALLEST_HALVED:
        halved = _halved(data, smallest)
        if np.abs(_logits(halved) - exact).max() < MOST_CHANGE:
            return halved
    return data


def _traced(members: Sequence[PositionLogits]) -> bytes:
    outputs = [*(f"logits{k}" for k in range(len(members))), *(f"maps{k}" for k in range(len(members)))]
    inputs = {f"pixels{k}": torch.zeros(2, 64, 80, 3, dtype=torch.uint8) for k in range(len(members))}
    sides = {name: {0: f"images_{name}", 1: f"height_{name}", 2: f"width_{name}"} for name in (*inputs, *outputs)}
    places = {name: {0: one[0]} if name.startswith("logits") else one for name, one in sides.items()}
    return onnx_graph(_Graph([member.cpu() for member in members]), inputs, outputs, places)


def _halved(data: bytes, smallest: int) -> bytes:
    """The graph with its larger weights in half precision, and a cast behind each."""
    model = onnx.load_from_string(data)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < smallest:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    whole: bytes = model.SerializeToString()
    return whole


def _logits(data: bytes) -> NDArray[np.float64]:
    """Every member's logits of some noise, smooth and rough."""
    random = np.random.default_rng(0)
    rough = random.integers(0, 256, (4, 96, 96, 3))
    smooth = np.kron(random.integers(0, 256, (4, 12, 12, 3)), np.ones((1, 8, 8, 1), dtype=np.int64))
    pixels = np.concatenate([rough, smooth, (rough + 7 * smooth) // 8]).astype(np.uint8)
    members = Members(session_of(data, threads=1))
    return np.stack(members.logits([pixels] * members.count))
