"""Tower and heads as one ONNX graph: matrices in 8 bits a channel, every computation in float32."""

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from img_ml.networks.clip_tower import SIDE, ClipTower
from img_ml.train.onnx_trace import onnx_graph

# A matrix of fewer values stays as it is: heads, norms and biases.
SMALLEST = 500_000


class _Graph(nn.Module):
    def __init__(self, tower: ClipTower, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.tower = tower
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        self.head.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.head(self.tower(pixels)[:, -1].flatten(1))
        return found


def tokens_graph(tower: ClipTower) -> bytes:
    """The graph from `pixels` n x SIDE x SIDE x 3 to `tokens` n x blocks x 2 x WIDTH."""
    return _small(_traced(tower, "tokens"), SMALLEST)


def heads_graph(
    tower: ClipTower, weight: NDArray[np.float32], bias: NDArray[np.float32], smallest: int = SMALLEST
) -> bytes:
    """The graph from `pixels` n x SIDE x SIDE x 3 to `logits` n x members.

    `weight` is members x (2 * WIDTH), for class and mean patch token of the last block,
    `bias` has a value for each member. Matrices of fewer than `smallest` values are stored as they are.
    """
    return _small(_traced(_Graph(tower, torch.from_numpy(weight), torch.from_numpy(bias)), "logits"), smallest)


def _traced(module: nn.Module, output: str) -> bytes:
    pixels = {"pixels": torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)}
    return onnx_graph(module, pixels, [output], {"pixels": {0: "windows"}, output: {0: "windows"}})


def _small(data: bytes, smallest: int) -> bytes:
    """The graph with its large matrices in 8 bits a column, and the product with their scales behind each.

    The runtime multiplies once, when it loads the graph: activations are never rounded, so that an answer does not
    depend on what else is in the batch, nor on the instructions of the processor.
    """
    model = onnx.load_from_string(data)
    before = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < smallest:
            continue
        name = tensor.name
        model.graph.initializer.remove(tensor)
        if values.ndim != 2:
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            before.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
            continue
        scale = (np.abs(values).max(axis=0, keepdims=True) / 127).astype(np.float32)
        rounded = np.rint(values / np.where(scale > 0, scale, 1)).astype(np.int8)
        model.graph.initializer.extend(
            [numpy_helper.from_array(rounded, f"{name}_whole"), numpy_helper.from_array(scale, f"{name}_scale")]
        )
        before.append(helper.make_node("Cast", [f"{name}_whole"], [f"{name}_float"], to=TensorProto.FLOAT))
        before.append(helper.make_node("Mul", [f"{name}_float", f"{name}_scale"], [name]))
    nodes = [*before, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    whole: bytes = model.SerializeToString()
    return whole
