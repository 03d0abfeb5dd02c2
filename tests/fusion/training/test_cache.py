"""The feature cache: what was measured once is found again, whole, and only for the version that measured it."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forensics import files
from forensics.registry import DetectorSpec, Head, Number
from forensics.types import Measured, Skipped
from fusion.training.cache import CachedSignal, CacheError, FeatureCache

SPEC = DetectorSpec("d", "D", 1, (Number("x", 0, 9, "x"), Number("y", 0, 9, "y")), "l", "f")
HEADED = replace(SPEC, head=Head("x", "svm"))


def entry(image: str, x: float = 1.0, view: str = "as it is") -> CachedSignal:
    return CachedSignal(image, view, Measured("d", {"x": x, "y": np.nan}, "s"))


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


def test_what_is_added_is_read_back_by_image_and_view(cache: FeatureCache) -> None:
    cache.add(
        SPEC, [entry("a", 1.5), entry("a", 2.5, view="other"), CachedSignal("b", "as it is", Skipped("d", "too small"))]
    )
    column = cache.read(SPEC)
    assert column.numbers[column.place["a", "other"]].tolist() == pytest.approx([2.5, np.nan], nan_ok=True)
    assert np.isnan(column.numbers[column.place["b", "as it is"]]).all()
    assert cache.keys(SPEC) == {("a", "as it is"), ("a", "other"), ("b", "as it is")}


def test_an_empty_cache_is_empty_not_an_error(cache: FeatureCache) -> None:
    assert cache.keys(SPEC) == set()
    assert cache.read(SPEC).numbers.shape == (0, 2)


def test_another_version_or_other_weights_find_nothing(cache: FeatureCache) -> None:
    cache.add(SPEC, [entry("a")], mark="w1")
    assert cache.keys(SPEC, "w1")
    assert not cache.keys(SPEC, "w2")
    assert not cache.keys(replace(SPEC, version=2), "w1")


def test_embeddings_come_back_with_gaps_where_there_were_none(cache: FeatureCache) -> None:
    embedding = np.array([1, 2, 3], dtype=np.float32)
    signal = Measured("d", {"x": np.nan, "y": 0}, "s", embedding=embedding)
    cache.add(HEADED, [CachedSignal("a", "v", signal), CachedSignal("b", "v", Skipped("d", "r"))])
    column = cache.read(HEADED)
    assert column.embedding is not None
    assert column.embedding[column.place["a", "v"]].tolist() == [1, 2, 3]
    assert np.isnan(column.embedding[column.place["b", "v"]]).all()


def test_compacting_keeps_everything_in_one_file(cache: FeatureCache, tmp_path: Path) -> None:
    for number in range(12):
        cache.add(SPEC, [entry(str(number), float(number % 9))])
    cache.compact(SPEC)
    assert len(list((tmp_path / "features" / "d-1").iterdir())) == 1
    column = cache.read(SPEC)
    assert column.numbers[column.place["7", "as it is"], 0] == 7
    assert len(column.place) == 12


def test_repeated_rows_do_no_harm(cache: FeatureCache) -> None:
    cache.add(SPEC, [entry("a", 3.0)])
    cache.add(SPEC, [entry("a", 3.0)])
    column = cache.read(SPEC)
    assert column.numbers[column.place["a", "as it is"], 0] == 3.0


def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(
    cache: FeatureCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.add(SPEC, [entry("a")])

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        cache.add(SPEC, [entry("b")])
    monkeypatch.undo()
    assert cache.keys(SPEC) == {("a", "as it is")}
    assert len(list((tmp_path / "features" / "d-1").iterdir())) == 1


def test_a_damaged_file_is_named(cache: FeatureCache, tmp_path: Path) -> None:
    cache.add(SPEC, [entry("a")])
    (tmp_path / "features" / "d-1" / "zz.parquet").write_bytes(b"not parquet")
    with pytest.raises(CacheError, match=r"zz\.parquet is not a file of this cache"):
        cache.read(SPEC)
