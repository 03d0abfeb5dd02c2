"""Members of one ONNX graph run on the CPU by ONNX Runtime; torch is not needed."""

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
    """The members of a graph that `img_ml.train.onnx_export` wrote: of each, logits and maps of images."""

    def __init__(self, session: "InferenceSession") -> None:
        """Raises WeightsError where the graph is of another kind."""
        import onnxruntime

        self._session = session
        outputs = {output.name for output in session.get_outputs()}
        self.count = sum(name.startswith("logits") for name in outputs)
        wanted = {f"{kind}{k}" for kind in ("logits", "maps") for k in range(self.count)}
        if not self.count or outputs != wanted or [one.name for one in session.get_inputs()] != ["pixels"]:
            raise WeightsError("The ONNX graph is not one of members: its inputs or outputs have other names.")
        # One member is asked at a time; the others need not be computed.
        self._run = onnxruntime.RunOptions()
        self._run.only_execute_path_to_fetches = True

    def logits(self, member: int, pixels: Pixels) -> Floats:
        """A member's logits (n,) of images n x H x W x 3."""
        return self._outputs([f"logits{member}"], pixels)[0]

    def maps(self, member: int, pixels: Pixels) -> Floats:
        """A member's logits of every place n x h x w of images n x H x W x 3; their mean is the image's logit."""
        return self._outputs([f"maps{member}"], pixels)[0]

    def _outputs(self, names: list[str], pixels: Pixels) -> list[Floats]:
        found = self._session.run(names, {"pixels": np.ascontiguousarray(pixels)}, self._run)
        return [np.asarray(one, dtype=np.float64) for one in found]
