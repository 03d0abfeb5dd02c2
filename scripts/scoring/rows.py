"""The rows of the scores: one for each image, judged or not, and the Parquet parts they are kept in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from forensics.errors import JobError
from fusion.output.result import ResultDocument, result_document, result_model
from fusion.verdict import Verdict

_MARK = b"img_ml"


@dataclass(frozen=True, slots=True)
class Model:
    """Who answered; stands in every row, so that rows of several runs can be laid together."""

    profile: str
    fingerprint: str
    fusion: str


def headlines() -> tuple[str, ...]:
    """The headline numbers, by name."""
    return tuple(name for name in result_model().model_fields if name not in ResultDocument.model_fields)


def schema() -> pa.Schema:
    """The columns of a part."""
    texts = pa.list_(pa.string())
    return pa.schema(
        [
            ("row", pa.int64()),
            ("id", pa.string()),
            ("sha256", pa.string()),
            ("status", pa.string()),
            ("label", pa.string()),
            ("label_basis", pa.string()),
            ("fusion_prob", pa.float64()),
            ("confidence", pa.float64()),
            *((name, pa.float64()) for name in headlines()),
            ("reasons", texts),
            ("media_type", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("error_code", pa.string()),
            ("error", pa.string()),
            ("retryable", pa.bool_()),
            ("profile", pa.string()),
            ("fingerprint", pa.string()),
            ("fusion", pa.string()),
        ]
    )


def row_of(number: int, name: str, sha256: str | None, outcome: Verdict | JobError, model: Model) -> dict[str, Any]:
    """The row of one image: the values of its result document, rounded alike."""
    document = result_document(outcome)
    error, image = document["error"] or {}, document["image"] or {}
    plain = ("status", "label", "label_basis", "fusion_prob", "confidence", *headlines())
    return {
        "row": number,
        "id": name,
        "sha256": sha256,
        **{key: document[key] for key in plain},
        "reasons": document["reasoning"],
        "media_type": image.get("media_type"),
        "width": image.get("width"),
        "height": image.get("height"),
        "error_code": error.get("code"),
        "error": error.get("message"),
        "retryable": error.get("retryable"),
        "profile": model.profile,
        "fingerprint": model.fingerprint,
        "fusion": model.fusion,
    }


def part_of(rows: Sequence[Mapping[str, Any]], mark: str) -> bytes:
    """A Parquet file of the rows that carries the mark."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(list(rows), schema=schema().with_metadata({_MARK: mark.encode()}))
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def mark_of(metadata: Mapping[bytes, bytes] | None) -> str:
    """The mark that a part carries; empty where there is none."""
    return (metadata or {}).get(_MARK, b"").decode()
