"""The size of a safetensors file by the names and shapes in it: the names decide the length of its header."""

import json
import math
from collections.abc import Mapping

from img_ml.weights.table import find


def size_of(layout: Mapping[str, tuple[int, ...]], **metadata: str) -> int:
    """Bytes of a file that holds float32 tensors of these names and shapes, in the order of safetensors."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in sorted(layout.items()):
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + math.ceil(length / 8) * 8 + end


def published_size(record: str) -> int:
    """Bytes of the record's tensors as its authors published them."""
    (tensors,) = (file for file in find(record).files if file.name.endswith(".safetensors"))
    return tensors.size
