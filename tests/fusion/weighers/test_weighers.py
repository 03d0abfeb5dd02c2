"""One contract for every kind of weigher: margins, exact explanations, gaps, early stopping, to disk and back."""

import json
from pathlib import Path

import numpy as np
import pytest

from fusion.evaluation.metrics import auc
from fusion.weighers.kinds import KINDS
from fusion.weighers.weigher import Rows, Weigher, WeigherKind
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

NAMES = ("signal", "noise", "rare")


def rows(count: int, seed: int, shift: float = 1.5) -> Rows:
    """Two classes that differ in the first feature; the third is measured in one row of ten."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, count)
    values = random.normal(0, 1, (count, 3))
    values[:, 0] += shift * label
    values[random.random(count) < 0.9, 2] = np.nan
    return Rows(values, label, np.ones(count))


@pytest.fixture(scope="module", params=KINDS.values(), ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> WeigherKind:
    return request.param


@pytest.fixture(scope="module")
def weigher(kind: WeigherKind) -> Weigher:
    return kind.train(rows(600, 0), NAMES, kind.candidates[0], 0, 100)


def test_it_learns_what_tells_the_classes_apart(weigher: Weigher) -> None:
    fresh = rows(400, 1)
    assert auc(weigher.margin(fresh.values), fresh.label) > 0.8


def test_contributions_add_up_to_the_margin_and_name_the_right_feature(weigher: Weigher) -> None:
    values = rows(200, 2).values
    shares = weigher.contributions(values)
    assert shares.shape == (200, 4)
    assert shares.sum(axis=1) == pytest.approx(weigher.margin(values), abs=1e-4)
    size = np.abs(shares[:, :3]).mean(axis=0)
    assert size[0] > 2 * size[1:].max()


def test_a_higher_signal_pushes_towards_ai(weigher: Weigher) -> None:
    low, high = weigher.contributions(np.array([[-1.0, 0.0, np.nan], [3.0, 0.0, np.nan]]))
    assert low[0] < 0 < high[0]


def test_gaps_give_finite_margins(weigher: Weigher) -> None:
    assert np.isfinite(weigher.margin(np.full((1, 3), np.nan))).all()
    assert np.isfinite(weigher.margin(np.array([[np.nan, 1.0, 1.0], [1e9, -1e9, 0.0]]))).all()


def test_the_same_seed_gives_the_same_margins(kind: WeigherKind) -> None:
    first, again = (kind.train(rows(300, 0), NAMES, kind.candidates[0], 7, 20) for _ in range(2))
    values = rows(50, 3).values
    assert np.array_equal(first.margin(values), again.margin(values))


def test_it_comes_back_from_disk_as_it_was(kind: WeigherKind, weigher: Weigher, tmp_path: Path) -> None:
    weigher.save(tmp_path / kind.file)
    again = kind.load((tmp_path / kind.file).read_bytes())
    values = rows(50, 3).values
    assert np.array_equal(again.margin(values), weigher.margin(values))


def test_what_is_no_model_is_refused(kind: WeigherKind) -> None:
    with pytest.raises(ValueError):
        kind.load(b"not a model")


@pytest.mark.parametrize("name", ["xgboost", "mlp"])
def test_the_curve_tells_what_the_watched_rows_gain_and_lose(name: str) -> None:
    kind = KINDS[name]  # type: ignore[index]
    assert kind.curve is not None
    learned = rows(600, 0)
    same = kind.curve(learned, NAMES, kind.candidates[0], 0, rows(200, 1))
    opposite = kind.curve(learned, NAMES, kind.candidates[0], 0, rows(200, 1, shift=-1.5))
    assert same[-1] > 0.8 > 0.3 > opposite[-1]
    # The last point of the curve is the model trained for as many rounds.
    fresh = rows(200, 1)
    trained = kind.train(learned, NAMES, kind.candidates[0], 0, len(same))
    assert auc(trained.margin(fresh.values), fresh.label) == pytest.approx(same[-1], abs=1e-6)


def test_a_convex_loss_has_no_rounds_to_count() -> None:
    assert KINDS["logistic"].curve is None


def test_trees_never_turn_a_probability_of_ai_against_ai() -> None:
    random = np.random.default_rng(0)
    given = random.random((2000, 1))
    # The middle third looks most like AI: free trees follow that.
    label = (np.abs(given[:, 0] - 0.5) < 1 / 6).astype(np.int64)
    steps = np.linspace(0, 1, 200)[:, None]
    learned = Rows(given, label, np.ones(len(given)))
    trees = KINDS["xgboost"]
    bound = trees.train(learned, ("crop_network_prob",), trees.candidates[0], 0, 50).margin(steps)
    free = trees.train(learned, ("noise",), trees.candidates[0], 0, 50).margin(steps)
    assert np.diff(bound).min() >= 0
    assert bound[-1] > bound[0]
    assert np.diff(free).min() < 0


def test_a_regression_weighs_probabilities_by_their_log_odds() -> None:
    learned = rows(600, 7)
    odds = Rows(1 / (1 + np.exp(-learned.values)), learned.label, learned.weight)
    kind = KINDS["logistic"]
    plain = kind.train(learned, ("a", "b", "c"), {"C": 0.3}, 0)
    probabilities = kind.train(odds, ("a_prob", "b_prob", "c_prob"), {"C": 0.3}, 0)
    np.testing.assert_allclose(probabilities.margin(odds.values), plain.margin(learned.values), atol=1e-6)
    assert np.isfinite(probabilities.margin(np.array([[0.0, 1.0, np.nan]]))).all()


@pytest.mark.parametrize("data", [b"{}", b"[]", b"no json", b'{"odds": [true], "scaling": {}, "intercept": 0}'])
def test_what_is_no_regression_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        KINDS["logistic"].load(data)


def test_a_regression_whose_parts_do_not_fit_together_is_refused(tmp_path: Path) -> None:
    KINDS["logistic"].train(rows(50, 1), NAMES, {"C": 0.3}, 0).save(tmp_path / "model")
    content = json.loads((tmp_path / "model").read_bytes())
    content["odds"].pop()
    with pytest.raises(ValueError, match="do not fit together"):
        KINDS["logistic"].load(json.dumps(content).encode())


def test_a_small_network_learns_as_much_of_a_few_hundred_rows_as_a_logistic_regression() -> None:
    def many(count: int, seed: int) -> Rows:
        random = np.random.default_rng(seed)
        label = random.integers(0, 2, count)
        values = random.normal(0, 1, (count, 77))
        values[:, :4] += 0.8 * label[:, None]
        return Rows(values, label, np.ones(count))

    names, fresh = tuple(f"n{number}" for number in range(77)), many(1000, 1)
    found = {
        name: auc(KINDS[name].train(many(240, 0), names, candidate, 0).margin(fresh.values), fresh.label)
        for name, candidate in (("mlp", KINDS["mlp"].candidates[1]), ("logistic", {"C": 0.003}))
    }
    assert found["mlp"] > found["logistic"] - 0.03
