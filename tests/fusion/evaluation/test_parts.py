"""The parts of a report that are about single images: what is called what, who is right, errors, scores."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fusion.calibration import Thresholds
from fusion.evaluation.confusion import confusion
from fusion.evaluation.gallery import worst
from fusion.evaluation.measures import AUC
from fusion.evaluation.paired import ACCURACY, paired
from fusion.evaluation.scored import ScoredTable
from fusion.evaluation.scores import as_csv, as_parquet, scores
from fusion.features import schema_of
from fusion.training.table import FeatureTable

LABEL = np.array([0, 0, 0, 0, 1, 1, 1, 1])
GOOD = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
# Wrong about the first and the last image, and as sure of itself.
POOR = np.array([0.95, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.05])


def scored(probability: np.ndarray) -> ScoredTable:
    schema = schema_of(["exif"])
    count, texts = len(LABEL), np.full(len(LABEL), "")
    table = FeatureTable(
        schema,
        np.zeros((count, len(schema.features))),
        LABEL,
        source=np.array([f"s{n % 4}" for n in range(count)]),
        kind=np.array(["real", "real", "real", "human_art", "ai", "ai", "ai", "ai"]),
        split=texts,
        generator=texts,
        format=texts,
        file_format=texts,
        image=np.array([f"{n:064x}" for n in range(count)]),
        view=texts,
    )
    return ScoredTable(table, probability, Thresholds(0.75, 0.25))


def test_each_kind_is_counted_by_what_it_is_called() -> None:
    rows = [(row.kind, row.label, row.ai, row.uncertain, row.non_ai) for row in confusion(scored(GOOD))]
    assert rows == [("human_art", 0, 0, 1, 0), ("real", 0, 0, 1, 2), ("ai", 1, 2, 2, 0)]


def test_an_artifact_differs_from_itself_by_nothing() -> None:
    same = paired(("a", scored(GOOD)), ("b", scored(GOOD)))
    assert {estimate.value for estimate in same.differences.values()} == {0.0}
    assert (same.only_first, same.only_second, same.p) == (0, 0, 1.0)


def test_the_better_of_two_is_told_by_sign_and_by_the_images_it_alone_gets_right() -> None:
    found = paired(("poor", scored(POOR)), ("good", scored(GOOD)))
    assert found.differences[AUC].value == pytest.approx(15 / 16 - 8 / 16)
    assert found.differences[ACCURACY].value == pytest.approx(0.25)
    assert (found.only_first, found.only_second, found.p) == (0, 2, 0.5)


def test_the_worst_errors_come_first_with_their_pictures(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    Image.new("RGB", (400, 300), "red").save(path)
    accused, missed = worst(scored(POOR), {f"{0:064x}": path})
    assert [round(one.probability, 2) for one in accused] == [0.95, 0.6]
    assert [round(one.probability, 2) for one in missed] == [0.05, 0.4]
    assert accused[0].name == "mine.png"
    assert accused[0].picture.startswith("data:image/jpeg;base64,")
    assert accused[1].picture == ""


def test_scores_are_one_row_an_image_in_csv_and_in_parquet() -> None:
    unmeasured = replace(scored(GOOD), probability=np.array([np.nan, *GOOD[1:]]))
    table = scores({"a": unmeasured, "b": scored(POOR)}, {f"{1:064x}": Path("x.png")})
    rows = list(csv.DictReader(io.StringIO(as_csv(table).decode())))
    assert len(rows) == len(LABEL)
    assert (rows[0]["a_prob"], rows[0]["a_label"], rows[0]["b_label"]) == ("", "UNCERTAIN", "AI")
    assert (rows[1]["filepath"], float(rows[1]["a_prob"]), rows[1]["a_label"]) == ("x.png", 0.2, "NON-AI")
    assert pq.read_table(io.BytesIO(as_parquet(table))).equals(table)
