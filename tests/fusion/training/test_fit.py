"""Fitting keeps its hands off what it is judged on: noise stays a coin toss, and every promise is about unseen rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from fusion.calibration import fit_calibration
from fusion.evaluation.metrics import auc
from fusion.features import FeatureSchema, schema_of
from fusion.training import fit as fitting
from fusion.training.fit import FusionPlan, fit
from fusion.training.table import FeatureTable
from fusion.weighers import trees
from fusion.weighers.kinds import KINDS
from fusion.weighers.weigher import Candidate, Kind, Rows, Weigher
from img_ml.data.folds import balanced_weights
from tests.fusion.embedding import register

SOURCES, TEST_SOURCES = 24, 4
LENGTH = 64


@pytest.fixture(autouse=True)
def _embedder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield


def noise(images: int = 1200, *, embedded: bool = False, ai_share: float = 0.5) -> FeatureTable:
    """Rows that say nothing about their labels, from sources of both classes; the last four sources are the test split.

    Each row carries its own number in the first column, so that a test can tell which rows it sees again.
    """
    random = np.random.default_rng(5)
    schema = schema_of(["statistics", "ela", *(["embedder"] if embedded else [])])
    values = random.normal(0, 1, (images, len(schema.features)))
    values[:, 0] = random.permutation(images)
    if embedded:
        values[:, schema.names.index("embedder_prob")] = np.nan
    label = (random.random(images) < ai_share).astype(np.int64)
    place = np.arange(images) % SOURCES
    texts = np.full(images, "")
    return FeatureTable(
        schema,
        values,
        label,
        source=np.array([f"s{number}" for number in place]),
        kind=np.where(label == 1, "ai", "real"),
        split=np.where(place >= SOURCES - TEST_SOURCES, "test", np.where(place < 4, "val", "train")),
        generator=texts,
        format=texts,
        file_format=texts,
        image=np.array([f"{number:064x}" for number in range(images)]),
        view=texts,
        embeddings={"embedder": random.normal(0, 1, (images, LENGTH)).astype(np.float32)} if embedded else {},
    )


def telling(images: int = 600, ai_share: float = 0.5) -> FeatureTable:
    """Noise with one column that the label moves."""
    table = noise(images, ai_share=ai_share)
    values = table.values.copy()
    values[:, 1] += 1.5 * table.label
    return table.with_values(values)


@dataclass
class Recorder:
    """A logistic regression that notes what it is given to learn from, to watch, and to score."""

    learned: list[Rows] = field(default_factory=list)
    watched: list[tuple[Rows, Rows]] = field(default_factory=list)
    rounds: list[int | None] = field(default_factory=list)

    def train(
        self, rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, rounds: int | None = None
    ) -> Weigher:
        self.learned.append(rows)
        self.rounds.append(rounds)
        return KINDS["logistic"].train(rows, names, candidate, seed)

    def curve(
        self, rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, watch: Rows
    ) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        self.watched.append((rows, watch))
        return np.array([0.5, 0.6, 0.7, 0.6])


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """In the place of trees, with a single candidate."""
    recorder = Recorder()
    kind = replace(KINDS["xgboost"], candidates=({"C": 0.03},), train=recorder.train, curve=recorder.curve)
    monkeypatch.setitem(fitting.KINDS, "xgboost", kind)
    # In order, so that the n-th training is that of the n-th fold.
    monkeypatch.setattr(fitting.os, "cpu_count", lambda: 1)
    return recorder


def sources_of(table: FeatureTable, rows: Rows) -> set[str]:
    """The sources of these rows, by the row numbers in their first column."""
    source = dict(zip(table.values[:, 0].tolist(), table.source.tolist(), strict=True))
    return {source[number] for number in rows.values[:, 0].tolist()}


@pytest.mark.parametrize("kind", ["xgboost", "logistic"])
def test_noise_through_the_whole_of_fit_is_a_coin_toss(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    # As many rounds as noise can be learned by heart in.
    monkeypatch.setattr(trees, "MOST_ROUNDS", 200)
    table = noise(embedded=kind == "logistic")
    fitted = fit(table, FusionPlan(model=kind))
    assert 0.45 < fitted.chosen.auc < 0.55
    assert all(0.45 < trial.auc < 0.55 for trial in fitted.trials)
    unseen = table.split == "test"
    assert 0.4 < auc(fitted.model.weigher.margin(fitted.table.values[unseen]), table.label[unseen]) < 0.6


def test_no_model_scores_a_source_that_it_learned_from(recorder: Recorder) -> None:
    table = noise(600)
    fitted = fit(table, FusionPlan(skip=0.0))
    *folds, final = recorder.learned
    everything = set(table.source[table.split != "test"].tolist())
    assert len(folds) == 5
    held_out = [everything - sources_of(table, rows) for rows in folds]
    assert sum(len(one) for one in held_out) == len(everything)
    assert set.union(*held_out) == everything
    assert sources_of(table, final) == everything
    development = table.where(table.split != "test")
    for weigher, sources in zip(fitted.chosen.weighers, held_out, strict=True):
        scored = np.isin(development.source, sorted(sources))
        assert fitted.chosen.margin[scored] == pytest.approx(weigher.margin(development.values[scored]))


def test_early_stopping_watches_whole_rows_of_sources_that_its_trial_does_not_learn_from(recorder: Recorder) -> None:
    table = noise(600)
    fit(table, FusionPlan(skip=0.3))
    assert len(recorder.watched) == 5
    for learned, watch in recorder.watched:
        assert np.isnan(learned.values).any()
        assert not np.isnan(watch.values).any()
    table = noise(600)
    recorder.watched.clear()
    fit(table, FusionPlan(skip=0.0))
    for learned, watch in recorder.watched:
        assert sources_of(table, watch)
        assert not sources_of(table, learned) & sources_of(table, watch)
    # The best round of the curves' mean, counted from 1, for the folds and for the final model.
    assert set(recorder.rounds) == {3}


def test_the_calibration_is_of_held_out_margins_and_counts_both_classes_alike() -> None:
    table = telling(ai_share=0.85)
    fitted = fit(table, FusionPlan(model="logistic"))
    development = fitted.table.where(fitted.table.split != "test")
    weight = balanced_weights(development.label, development.source)
    held_out = fit_calibration(fitted.chosen.margin, development.label, weight)
    assert fitted.model.calibration == held_out
    probability = held_out.probability(fitted.chosen.margin)
    assert np.average(probability, weights=weight) == pytest.approx(0.5, abs=0.002)


def test_the_thresholds_keep_their_error_rates_on_held_out_rows() -> None:
    table = telling()
    fitted = fit(table, FusionPlan(model="logistic", false_positive_rate=0.015, false_negative_rate=0.025))
    label = table.label[table.split != "test"]
    probability, thresholds = fitted.model.calibration.probability(fitted.chosen.margin), fitted.model.thresholds
    assert thresholds.non_ai < thresholds.ai
    assert np.mean(probability[label == 0] >= thresholds.ai) <= 0.015
    assert np.mean(probability[label == 1] <= thresholds.non_ai) <= 0.025


def test_the_candidate_of_the_best_held_out_auc_is_chosen() -> None:
    fitted = fit(telling(), FusionPlan(model="logistic"))
    assert fitted.chosen.auc == max(trial.auc for trial in fitted.trials)
    assert len({trial.auc for trial in fitted.trials}) > 1


@pytest.mark.parametrize(
    ("telling_one", "weighed"),
    [("crop_network_prob", ("crop_network",)), ("ela_mean", ("statistics", "ela", "crop_network"))],
)
def test_networks_are_weighed_alone_where_the_other_numbers_only_add_noise(
    telling_one: str, weighed: tuple[str, ...]
) -> None:
    table = noise(600)
    schema = schema_of(["statistics", "ela", "crop_network"])
    values = np.random.default_rng(1).uniform(0.2, 0.8, (600, len(schema.features)))
    values[:, schema.names.index(telling_one)] += 0.3 * table.label
    fitted = fit(replace(table, schema=schema, values=values), FusionPlan(model="logistic"))
    assert fitted.chosen.detectors == tuple(sorted(weighed, key=schema_order(schema)))
    assert {feature.detector for feature in fitted.model.schema.features} == set(weighed)
    assert len(fitted.best_by_detectors) == 2
    chosen_by_hand = fit(replace(table, schema=schema, values=values), FusionPlan(model="logistic", weighed=("ela",)))
    assert len(chosen_by_hand.best_by_detectors) == 1


def schema_order(schema: FeatureSchema) -> Callable[[str], int]:
    detectors = [feature.detector for feature in schema.features]
    return detectors.index


def test_every_other_kind_is_held_against_a_logistic_regression(recorder: Recorder) -> None:
    table = telling()
    assert fit(table, FusionPlan()).yardstick == pytest.approx(fit(table, FusionPlan(model="logistic")).chosen.auc)
    assert fit(table, FusionPlan(model="logistic")).yardstick is None


def test_a_feature_that_no_development_row_has_is_left_out() -> None:
    table = telling()
    values = table.values.copy()
    values[table.split != "test", 2] = np.nan
    fitted = fit(table.with_values(values), FusionPlan(model="logistic"))
    assert fitted.model.schema.names == tuple(np.delete(table.schema.names, 2))


def test_what_a_missing_detector_costs_is_measured_on_held_out_rows() -> None:
    table = telling()
    fitted = fit(table, FusionPlan(model="logistic"))
    telling_one = table.schema.features[1].detector
    other = next(name for name in fitted.without if name != telling_one)
    assert fitted.chosen.auc > 0.75
    assert fitted.without[telling_one] < 0.6
    assert fitted.without[other] == pytest.approx(fitted.chosen.auc, abs=0.05)


def test_the_shares_of_the_features_add_up_and_the_usual_range_is_that_of_real_images() -> None:
    table = telling()
    fitted = fit(table, FusionPlan(model="logistic"))
    assert sum(reference.share for reference in fitted.model.references) == pytest.approx(1.0)
    real = table.values[(table.split != "test") & (table.label == 0), 1]
    reference = fitted.model.references[1]
    assert (reference.low, reference.high) == pytest.approx(tuple(np.quantile(real, [0.1, 0.9])))
    assert reference.share == max(one.share for one in fitted.model.references)
