"""A network as an ONNX graph, by torch's older exporter: the one that keeps every side of an image free."""

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout

import torch
from torch import Tensor, nn

# LayerNormalization came with it.
OPSET = 17


def onnx_graph(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    free_sides: Mapping[str, Mapping[int, str]],
) -> bytes:
    """The graph of the network in inference, traced on examples of its inputs; `free_sides` may have any length."""
    buffer, quiet = io.BytesIO(), io.StringIO()
    # The exporter talks of itself.
    with warnings.catch_warnings(), redirect_stdout(quiet), redirect_stderr(quiet):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            buffer,  # type: ignore[arg-type]  # the older exporter takes it
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(sides) for name, sides in free_sides.items()},
            opset_version=OPSET,
            dynamo=False,
        )
    return buffer.getvalue()
