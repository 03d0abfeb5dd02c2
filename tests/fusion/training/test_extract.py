"""Extraction: each view is measured once, by whatever detector lacks it, and a failure costs only itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.special import expit

from forensics import registry
from forensics.registry import Detector, Setup
from forensics.types import ImageSample, Signal
from fusion.training.cache import FeatureCache
from fusion.training.extract import extract
from fusion.training.table import FeatureTable
from img_ml.data.dataset import DatasetError, Row, read_rows
from img_ml.data.views import AS_IT_IS, training_views
from img_ml.engine.engine import Engine
from img_ml.engine.held_out import source_mark
from img_ml.profiles import Profile
from tests.fusion.conftest import IMAGES
from tests.fusion.embedding import Embedder, register
from tests.img_ml.tiny import write_crop_network

TALK = Console(stderr=True)


@pytest.fixture(scope="module")
def rows(dataset: Path) -> list[Row]:
    """Six images of the small dataset, four to learn from and two of test."""
    every = read_rows(dataset)
    return [*every[:2], *every[IMAGES : IMAGES + 2], *every[-2:]]


@pytest.fixture
def features(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


def engine(*names: str) -> Engine:
    return Engine(Profile("test", names, Path()), Path(), "cpu")


def seen(rows: Sequence[Row], given: Engine, cache: FeatureCache, views: int = 2) -> FeatureTable:
    return extract(rows, given, cache, training_views(views, 0), TALK)


def to_measure(text: str) -> int:
    return int(text.split(" in the cache, ")[1].split()[0].replace(",", ""))


def test_the_table_has_a_row_a_view_with_what_the_csv_says(rows: list[Row], features: FeatureCache) -> None:
    table = seen(rows, engine("statistics", "ela"), features)
    learned = [row for row in rows if row.split != "test"]
    assert len(table) == 2 * len(learned) + (len(rows) - len(learned))
    assert set(table.split[table.view == "as it is"]) == {"test"}
    assert set(table.label.tolist()) == {0, 1}
    assert np.isfinite(table.values).all()
    assert set(table.format) == {"PNG"}


def test_a_second_run_measures_nothing_and_gives_the_same(
    rows: list[Row], features: FeatureCache, capsys: pytest.CaptureFixture[str]
) -> None:
    first = seen(rows, engine("statistics"), features)
    assert to_measure(capsys.readouterr().err) == len(first)
    again = seen(rows, engine("statistics"), features)
    assert to_measure(capsys.readouterr().err) == 0
    assert np.array_equal(first.values, again.values)


def test_only_what_is_new_is_measured(
    rows: list[Row], features: FeatureCache, capsys: pytest.CaptureFixture[str]
) -> None:
    some = seen(rows[:3], engine("statistics"), features)
    capsys.readouterr()
    everything = seen(rows, engine("statistics"), features)
    assert to_measure(capsys.readouterr().err) == len(everything) - len(some)


def test_a_changed_detector_is_measured_again_and_no_other(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = FeatureCache(tmp_path / "features")
    seen(rows, engine("statistics", "ela"), features)
    before = {path.name: sorted(path.iterdir()) for path in (tmp_path / "features").iterdir()}
    entries = dict(registry._ENTRIES)
    entries["ela"] = replace(entries["ela"], spec=replace(entries["ela"].spec, version=99))
    monkeypatch.setattr(registry, "_ENTRIES", entries)
    seen(rows, engine("statistics", "ela"), features)
    after = {path.name: sorted(path.iterdir()) for path in (tmp_path / "features").iterdir()}
    assert set(after) - set(before) == {"ela-99"}
    other = f"statistics-{entries['statistics'].spec.version}"
    assert after[other] == before[other]


def test_learned_detectors_run_in_batches_and_their_embeddings_come_along(
    rows: list[Row], features: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = register(monkeypatch)
    table = seen(rows, engine("embedder", "statistics"), features)
    assert max(loaded.batches) > 1
    assert table.embeddings["embedder"].shape == (len(table), 16)
    assert np.isfinite(table.embeddings["embedder"]).all()
    count = sum(loaded.batches)
    seen(rows, engine("embedder", "statistics"), features)
    assert sum(loaded.batches) == count


def test_other_weights_of_a_learned_detector_are_measured_anew(
    rows: list[Row], features: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = register(monkeypatch)
    seen(rows, engine("embedder"), features)
    count = sum(loaded.batches)
    monkeypatch.setattr(Embedder, "weights_sha256", "b" * 64)
    seen(rows, engine("embedder"), features)
    assert sum(loaded.batches) == 2 * count


def test_a_detector_that_failed_is_asked_again(
    rows: list[Row], features: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    works = Embedder.__call__

    def fails(self: Detector, samples: Sequence[ImageSample]) -> list[Signal]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Embedder, "__call__", fails)
    table = seen(rows, engine("embedder", "statistics"), features)
    assert "embedder" not in table.embeddings
    monkeypatch.setattr(Embedder, "__call__", works)
    assert "embedder" in seen(rows, engine("embedder", "statistics"), features).embeddings


def test_a_detector_without_weights_is_left_out_with_a_word(
    rows: list[Row], features: FeatureCache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from forensics.errors import ArtifactError

    register(monkeypatch)

    def no_weights(setup: Setup) -> Detector:
        raise ArtifactError("its weights are not here")

    entries = dict(registry._ENTRIES)
    entries["embedder"] = replace(entries["embedder"], load=no_weights)
    monkeypatch.setattr(registry, "_ENTRIES", entries)
    table = seen(rows, engine("embedder", "statistics"), features)
    assert not any(name.startswith("embedder") for name in table.schema.names)
    assert "embedder is left out: its weights are not here" in capsys.readouterr().err


def test_images_that_cannot_be_decoded_are_left_out_with_a_word(
    rows: list[Row], features: FeatureCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(rows[0].path.read_bytes()[:200])
    table = seen([*rows, replace(rows[0], path=broken)], engine("statistics"), features)
    assert len(table) == len(seen(rows, engine("statistics"), features))
    assert "1 images could not be decoded" in capsys.readouterr().err
    with pytest.raises(DatasetError, match="None of the images"):
        seen([replace(rows[0], path=broken)], engine("statistics"), features)


def test_a_file_listed_twice_is_measured_once_and_stands_in_two_rows(
    rows: list[Row], features: FeatureCache, capsys: pytest.CaptureFixture[str]
) -> None:
    table = extract([rows[0], rows[0]], engine("statistics"), features, lambda row, key: (AS_IT_IS,), TALK)
    assert to_measure(capsys.readouterr().err) == 1
    assert len(table) == 2


def test_what_a_detector_learned_from_is_shown_as_it_looks_to_the_member_that_did_not(
    rows: list[Row], features: FeatureCache, tmp_path: Path
) -> None:
    learned = rows[0].source
    write_crop_network(tmp_path, {source_mark(learned): 1})
    given = Engine(Profile("test", ("crop_network",), Path(), tier="light"), tmp_path, "cpu")
    table = seen(rows, given, features)
    assert not table.embeddings
    column = features.read(registry.get("crop_network").spec, given.marks["crop_network"])
    places = column.rows(list(zip(table.image.tolist(), table.view.tolist(), strict=True)))
    assert column.embedding is not None
    members = expit(column.embedding[places].astype(np.float64))
    held_out, others = table.source == learned, table.source != learned
    assert held_out.any()
    assert others.any()
    assert np.allclose(table.values[held_out, 0], members[held_out, 1])
    assert np.allclose(table.values[others, 0], column.numbers[places][others, 0])
    assert not np.allclose(table.values[held_out, 0], column.numbers[places][held_out, 0])
