"""Members of one ONNX graph run on the CPU by ONNX Runtime; torch is not needed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forensics.errors import WeightsError
from forensics.types import Pixels

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Floats = NDArray[np.float64]


def session_of(data: bytes, threads: int) -> "InferenceSession":
    """A session for the graph in these bytes; WeightsError where they are none.

    `threads` compute one answer; the calling thread is one of them.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What a thread would burn while it waits for the next layer is another process's time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Images come in all sizes: memory laid out for one of them is of no use for the next.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"The ONNX graph cannot be used: {told}") from error


class Members:
    """The members of a graph that `img_ml.train.onnx_export` wrote: of each, logits and maps of its own images.

    All members are asked together: the runtime computes every one of them in any case, also where one alone is asked.
    """

    def __init__(self, session: "InferenceSession") -> None:
        """Raises WeightsError where the graph is of another kind."""
        self._session = session
        inputs, outputs = [one.name for one in session.get_inputs()], {one.name for one in session.get_outputs()}
        self.count = len(inputs)
        wanted = {f"{kind}{k}" for kind in ("logits", "maps") for k in range(self.count)}
        if outputs != wanted or inputs != [f"pixels{k}" for k in range(self.count)]:
            raise WeightsError("The ONNX graph is not one of members: its inputs or outputs have other names.")

    def logits(self, pixels: Sequence[Pixels]) -> list[Floats]:
        """Each member's logits (n,) of its images n x H x W x 3."""
        return self._outputs("logits", pixels)

    def maps(self, pixels: Sequence[Pixels]) -> list[Floats]:
        """Each member's logits of every place n x h x w of its images n x H x W x 3; their mean is an image's logit."""
        return self._outputs("maps", pixels)

    def _outputs(self, kind: str, pixels: Sequence[Pixels]) -> list[Floats]:
        given = {f"pixels{member}": np.ascontiguousarray(one) for member, one in enumerate(pixels)}
        found = self._session.run([f"{kind}{member}" for member in range(self.count)], given)
        return [np.asarray(one, dtype=np.float64) for one in found]
