"""The hash that binds a C2PA manifest to its picture, where the library does not compare it.

Older writers leave all headers of a JPEG out of the hash, the manifest among them. The library calls that a mismatch
without looking, though the hash of the picture may hold (C2PA 2.1, 18.5: data hash).
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from forensics.reading.containers import jpeg_headers_end
from forensics.types import ImageSample

_ALGORITHMS = {"sha256", "sha384", "sha512"}


def covers_picture(detailed: Mapping[str, Any], sample: ImageSample) -> bool:
    """Whether the active manifest's hash leaves out nothing but headers of a JPEG, and holds for all the rest.

    `detailed` is the library's detailed report.
    """
    manifests = detailed.get("manifests") or {}
    store = (manifests.get(str(detailed.get("active_manifest"))) or {}).get("assertion_store") or {}
    binding = store.get("c2pa.hash.data")
    if sample.media_type != "image/jpeg" or not isinstance(binding, Mapping):
        return False
    try:
        left_out = [(int(one["start"]), int(one["length"])) for one in binding.get("exclusions") or ()]
        expected = base64.b64decode(str(binding.get("hash")))
    except (KeyError, TypeError, ValueError):
        return False
    algorithm = str(binding.get("alg") or "sha256").lower().replace("-", "")
    if algorithm not in _ALGORITHMS or len(left_out) != 1:
        return False
    start, end = left_out[0][0], sum(left_out[0])
    if not 0 <= start <= end <= jpeg_headers_end(sample.data):
        return False
    return hashlib.new(algorithm, sample.data[:start] + sample.data[end:]).digest() == expected
