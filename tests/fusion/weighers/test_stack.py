"""The stack weighs what its bases say of rows whose sources they never saw."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from fusion.evaluation.metrics import auc
from fusion.weighers import logistic, stack
from fusion.weighers.weigher import Rows, Weigher
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

NAMES = ("source mark", "signal")
SOURCES, EACH = 30, 12


def rows_of(seed: int) -> Rows:
    """Sources of one class each: the first value gives the source away, the second tells the class a little."""
    random = np.random.default_rng(seed)
    source = np.repeat(np.arange(SOURCES), EACH)
    label = source % 2
    signal = random.normal(0, 1, len(source)) + 1.2 * label
    values = np.stack([random.permutation(SOURCES)[source].astype(float), signal], axis=1)
    return Rows(values, label, np.ones(len(label)), source.astype(str))


@dataclass(frozen=True)
class Rote:
    """Knows the classes of the sources that it saw by heart, and nothing else."""

    classes: dict[float, int]

    def margin(self, values: np.ndarray) -> np.ndarray:
        return np.array([10.0 * (2 * self.classes[mark] - 1) if mark in self.classes else 0.0 for mark in values[:, 0]])

    def contributions(self, values: np.ndarray) -> np.ndarray:
        margin = self.margin(values)
        return np.stack([margin, 0 * margin, 0 * margin], axis=1)

    def save(self, path: Path) -> None:
        path.write_text("")


def learned_by_rote(rows: Rows, names: object, candidate: object, seed: int, rounds: int | None = None) -> Weigher:
    return Rote(dict(zip(rows.values[:, 0].tolist(), rows.label.tolist(), strict=True)))


@pytest.fixture
def with_rote(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = replace(logistic.KIND, train=learned_by_rote)
    monkeypatch.setattr(stack, "BASES", ((kind, {}), (logistic.KIND, logistic.KIND.candidates[2])))


@pytest.mark.usefixtures("with_rote")
def test_a_base_that_knows_its_sources_by_heart_gains_no_weight() -> None:
    """Margins of rows that a base learned from, or folds that divide sources, would give it all of the weight."""
    rows = rows_of(0)
    margins = stack.out_of_fold(rows, NAMES, 0, [None, None])
    assert not margins[:, 0].any()
    trained = stack.train(rows, NAMES, {}, 0)
    assert trained.weights[0] == 0
    assert trained.weights[1] > 0
    fresh = rows_of(1)
    assert auc(trained.margin(fresh.values), fresh.label) > 0.7


@pytest.mark.usefixtures("with_rote")
def test_without_sources_it_would_be_believed() -> None:
    """The same rows as sources of their own: this is the leak that the test above would catch."""
    leaking = stack.train(replace(rows_of(0), source=None), NAMES, {}, 0)
    assert leaking.weights[0] > 0


def test_no_base_weighs_against_what_it_says() -> None:
    random = np.random.default_rng(3)
    good = random.normal(0, 1, 400)
    label = (good + random.normal(0, 0.5, 400) > 0).astype(np.int64)
    margins = np.stack([good, -good + random.normal(0, 0.1, 400), good + random.normal(0, 2, 400)], axis=1)
    weights, _ = stack._fitted(margins, Rows(margins, label, np.ones(400)))
    assert weights[1] == 0
    assert (weights >= 0).all()
    assert weights[0] > 0


def test_a_zip_without_one_of_its_files_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "fusion.stack.zip", "w") as archive:
        archive.writestr("stack.json", "{}")
    with pytest.raises(ValueError, match="not a stack"):
        stack.load((tmp_path / "fusion.stack.zip").read_bytes())
