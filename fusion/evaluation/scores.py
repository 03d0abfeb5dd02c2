"""Each image's probability and label by every artifact, as a table for other programs: CSV and Parquet."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from fusion.evaluation.scored import ScoredTable

_LABELS = {1: "AI", 0: "UNCERTAIN", -1: "NON-AI"}


def scores(scored: Mapping[str, ScoredTable], paths: Mapping[str, Path]) -> pa.Table:
    """A row for each image, in the order of the artifacts' common table; `paths` are the files by `table.image`.

    Columns: filepath, image_sha256, label (1 AI), kind, source, generator; for each artifact `NAME_prob`, null where
    too little could be measured, and `NAME_label`.
    """
    table = next(iter(scored.values())).table
    columns: dict[str, pa.Array] = {
        "filepath": pa.array([str(paths.get(image, "")) for image in table.image.tolist()]),
        "image_sha256": pa.array(table.image.tolist()),
        "label": pa.array(table.label.tolist()),
        "kind": pa.array(table.kind.tolist()),
        "source": pa.array(table.source.tolist()),
        "generator": pa.array(table.generator.tolist()),
    }
    for name, one in scored.items():
        columns[f"{name}_prob"] = pa.array(one.probability, mask=np.isnan(one.probability))
        columns[f"{name}_label"] = pa.array([_LABELS[called] for called in one.called.tolist()])
    return pa.table(columns)


def as_csv(table: pa.Table) -> bytes:
    """The table as CSV."""
    target = io.BytesIO()
    pa_csv.write_csv(table, target)
    return target.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    """The table as Parquet."""
    target = io.BytesIO()
    pq.write_table(table, target)
    return target.getvalue()
