"""Small datasets to score, one of each kind of input, and what the judge itself says of their images."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from forensics.reading.decode import decode
from fusion.judge import Judge, load_judge
from fusion.output.result import result_document
from fusion.settings import FusionSettings
from img_ml.settings import ImgMlSettings
from scripts.scoring.rows import headlines
from tests.worker.web import photo

BAD = b"this is no image"
EQUAL = ("label", "label_basis", "fusion_prob", "confidence", *headlines())


def write_folder(folder: Path, count: int) -> dict[str, bytes]:
    """Images in two levels of folders, by the id that their scores carry; the last but one is no image."""
    images = {f"{'deep/' if n % 2 else ''}{n:03d}.jpg": photo(n) for n in range(count)}
    images[sorted(images)[-2]] = BAD
    for name, data in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return dict(sorted(images.items()))


def write_hub_parquet(folder: Path, images: Sequence[bytes | None]) -> None:
    """Two files as datasets of the hub have them, with row groups of three."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    half = len(images) // 2
    for name, some in (("0000.parquet", images[:half]), ("0001.parquet", images[half:])):
        column = pa.array([{"bytes": data, "path": "x.jpg"} for data in some], kind)
        pq.write_table(pa.table({"image": column, "label": [0] * len(some)}), folder / name, row_group_size=3)


def write_csv(path: Path, column: str, values: Sequence[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["number", column], *enumerate(values)])
    return path


def rows_in(out: Path) -> list[dict[str, Any]]:
    """The rows of all parts in the order of the input, read as any tool reads a folder."""
    return sorted(pq.read_table(out).to_pylist(), key=lambda row: row["row"])


def judge_itself() -> Judge:
    return load_judge(ImgMlSettings(), FusionSettings())


def assert_equal_to_judge(row: Mapping[str, Any], data: bytes, judge: Judge) -> None:
    """Every number of the row is exactly that of the judge called directly on the bytes."""
    sample = decode(data)
    document = result_document(judge.judge([sample])[0])
    assert {name: row[name] for name in EQUAL} == {name: document[name] for name in EQUAL}, row["id"]
    assert row["reasons"] == document["reasoning"]
    assert row["status"] == "done"
    assert (row["sha256"], row["width"], row["height"]) == (sample.sha256, sample.width, sample.height)
    assert (row["profile"], row["fingerprint"]) == (judge.profile, judge.fingerprint)
