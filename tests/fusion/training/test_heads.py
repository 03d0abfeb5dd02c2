"""Heads: trained out of fold, so that the fusion never learns from a score of an image its head saw."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from forensics.errors import UsageError
from forensics.registry import HeadKind
from forensics.types import Evidence, Measured, Skipped
from fusion.artifacts.artifact import load_artifact, write_artifact
from fusion.evaluation.metrics import auc
from fusion.features import schema_of
from fusion.training.fit import FusionPlan, fit
from fusion.training.heads import apply_heads, head_kinds, train_heads
from fusion.training.table import FeatureTable
from fusion.weighers.network import Network
from img_ml.data.folds import balanced_weights, grouped_folds
from tests.fusion.embedding import register

IMAGES, SIZE = 240, 200


@pytest.fixture(autouse=True)
def _embedder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield


def table(*, informative: float = 0.0) -> FeatureTable:
    """Images whose embeddings are long noise: a head learns them by heart, and knows nothing of others.

    Sixty of the images are the test split. `informative` moves one coordinate by the label.
    """
    random = np.random.default_rng(0)
    label = np.arange(IMAGES) % 2
    embedding = random.normal(0, 1, (IMAGES, SIZE)).astype(np.float32)
    embedding[:, 0] += informative * label
    texts = np.full(IMAGES, "")
    schema = schema_of(["statistics", "embedder"])
    values = random.normal(0, 1, (IMAGES, len(schema.features)))
    values[:, schema.names.index("embedder_prob")] = np.nan
    source = np.array([f"s{i // 8}" for i in range(IMAGES)])
    split = np.where(np.arange(IMAGES) < 180, "train", "test")
    kind = np.where(label == 1, "ai", "real")
    image = np.array([f"{i:064x}" for i in range(IMAGES)])
    return FeatureTable(
        schema,
        values,
        label,
        source,
        kind,
        split,
        texts,
        texts,
        texts,
        image,
        texts,
        embeddings={"embedder": embedding},
    )


def trained(given: FeatureTable) -> tuple[FeatureTable, np.ndarray, np.ndarray]:
    """The filled table, its development rows, and the in-fold scores: those of the final head, which saw them all."""
    rows = np.flatnonzero(given.split != "test")
    label, source = given.label[rows], given.source[rows]
    folds = grouped_folds(label, source, 0)
    filled, (head,) = train_heads(given, rows, folds, balanced_weights(label, source), 0)
    return filled, rows, head.probability(given.embeddings["embedder"][rows])


def scores(filled: FeatureTable, rows: np.ndarray) -> np.ndarray:
    return filled.values[rows, filled.schema.names.index("embedder_prob")]


def test_out_of_fold_scores_differ_from_in_fold_ones_and_the_table_holds_the_former() -> None:
    filled, rows, in_fold = trained(table())
    out_of_fold = scores(filled, rows)
    label = filled.label[rows]
    # Learned by heart: the head knows every image it saw, and nothing about any other.
    assert auc(in_fold, label) > 0.99
    assert auc(out_of_fold, label) < 0.65
    assert np.corrcoef(in_fold, out_of_fold)[0, 1] < 0.5


def test_the_fusion_learns_from_out_of_fold_scores_and_so_gives_a_head_that_knows_nothing_no_weight() -> None:
    # Over noise nothing is better than anything else, so what is weighed is not left to chance.
    plan = FusionPlan(model="logistic", skip=0.0, weighed=("embedder", "statistics"))
    fitted = fit(table(), plan)
    rows = np.flatnonzero(fitted.table.split != "test")
    used = scores(fitted.table, rows)
    (head,) = fitted.heads
    in_fold = head.probability(fitted.table.embeddings["embedder"][rows])
    label = fitted.table.label[rows]
    assert auc(used, label) < 0.65 < 0.99 < auc(in_fold, label)
    # Fed with the in-fold scores, the same fusion believes in the head: that is the leak.
    column = fitted.table.schema.names.index("embedder_prob")
    leaked = fitted.table.values.copy()
    leaked[rows, column] = in_fold
    believing = fit(_without_embeddings(fitted.table.with_values(leaked)), plan)
    assert believing.chosen.auc > 0.95 > 0.7 > fitted.chosen.auc
    assert believing.model.references[column].share > 2 * fitted.model.references[column].share


def _without_embeddings(given: FeatureTable) -> FeatureTable:
    return replace(given, embeddings={})


def test_a_head_that_knows_something_is_used_and_calibrated() -> None:
    fitted = fit(table(informative=6.0), FusionPlan(model="logistic", skip=0.0))
    column = fitted.table.schema.names.index("embedder_prob")
    assert fitted.model.references[column].share == max(r.share for r in fitted.model.references)
    held_out = fitted.table.where(fitted.table.split == "test")
    assert auc(held_out.values[:, column], held_out.label) > 0.8


def test_images_without_an_embedding_get_no_score() -> None:
    given = table(informative=6.0)
    given.embeddings["embedder"][5] = np.nan
    filled, rows, _ = trained(given)
    assert np.isnan(scores(filled, rows)[5])
    assert np.isfinite(np.delete(scores(filled, rows), 5)).all()


def evidence(embedding: np.ndarray) -> Evidence:
    signal = Measured("embedder", {"embedder_prob": np.nan}, "It embeds.", embedding=embedding)
    return Evidence("0" * 64, "image/png", 1, 1, (signal,))


def test_a_trained_head_travels_in_the_artifact_and_fills_in_the_open_number(tmp_path: Path) -> None:
    fitted = fit(table(informative=6.0), FusionPlan(model="logistic", skip=0.0))
    write_artifact(tmp_path / "a", "test", fitted.model, fitted.heads, {}, {})
    artifact = load_artifact(tmp_path / "a")
    given = table(informative=6.0).embeddings["embedder"][200]
    (filled,) = apply_heads(artifact.heads, [evidence(given)], {})
    (signal,) = filled.signals
    assert isinstance(signal, Measured)
    assert signal.numbers["embedder_prob"] == pytest.approx(float(fitted.heads[0].probability(given[None])[0]))
    assert "the trained head gives a probability of" in signal.sentence


def test_an_embedding_without_a_head_is_skipped_with_what_to_do() -> None:
    (filled,) = apply_heads((), [evidence(np.zeros(SIZE, dtype=np.float32))], {})
    (signal,) = filled.signals
    assert isinstance(signal, Skipped)
    assert "no head trained" in signal.reason


def test_a_detector_with_another_number_keeps_it_without_a_head_and_tells_both_with_one() -> None:
    given = evidence(table(informative=6.0).embeddings["embedder"][200])
    (signal,) = given.signals
    assert isinstance(signal, Measured)
    given = replace(given, signals=(replace(signal, numbers={**signal.numbers, "other": 0.25}),))
    (kept,) = apply_heads((), [given], {})[0].signals
    assert isinstance(kept, Measured)
    assert kept.numbers["other"] == 0.25
    assert np.isnan(kept.numbers["embedder_prob"])
    assert kept.embedding is None
    assert kept.sentence == "It embeds."
    fitted = fit(table(informative=6.0), FusionPlan(model="logistic", skip=0.0))
    (filled,) = apply_heads(fitted.heads, [given], {})[0].signals
    assert isinstance(filled, Measured)
    assert filled.numbers["other"] == 0.25
    assert 0 <= filled.numbers["embedder_prob"] <= 1
    assert filled.sentence.startswith("It embeds. Test embedder: the trained head gives a probability of")


def test_a_head_trained_on_other_weights_is_not_used() -> None:
    fitted = fit(table(informative=6.0), FusionPlan(model="logistic", skip=0.0))
    given = evidence(table().embeddings["embedder"][0])
    (filled,) = apply_heads(fitted.heads, [given], {"embedder": "other weights"})
    assert isinstance(filled.signals[0], Skipped)


def test_a_probability_that_the_detector_gave_itself_stands_only_where_the_artifact_has_no_head() -> None:
    given = evidence(table(informative=6.0).embeddings["embedder"][200])
    (signal,) = given.signals
    assert isinstance(signal, Measured)
    given = replace(given, signals=(replace(signal, numbers={"embedder_prob": 0.125}),))
    (own,) = apply_heads((), [given], {})[0].signals
    assert isinstance(own, Measured)
    assert own.numbers["embedder_prob"] == 0.125
    fitted = fit(table(informative=6.0), FusionPlan(model="logistic", skip=0.0))
    (by_head,) = apply_heads(fitted.heads, [given], {})[0].signals
    assert isinstance(by_head, Measured)
    assert by_head.numbers["embedder_prob"] != 0.125
    assert by_head.sentence.startswith("Test embedder: the trained head")
    # The fusion learned from a head for other weights, so no other classifier may speak in its place.
    assert isinstance(apply_heads(fitted.heads, [given], {"embedder": "other weights"})[0].signals[0], Skipped)


@pytest.mark.parametrize("kind", ["svm_linear", "linear", "mlp"])
def test_the_other_kinds_of_head_learn_too(kind: HeadKind) -> None:
    fitted = fit(table(informative=6.0), FusionPlan(model="logistic", skip=0.0, heads={"embedder": kind}))
    rows = np.flatnonzero(fitted.table.split != "test")
    assert auc(scores(fitted.table, rows), fitted.table.label[rows]) > 0.62
    (head,) = fitted.heads
    estimator = head.estimator["head"] if isinstance(head.estimator, Pipeline) else head.estimator
    made = {"svm_linear": LinearSVC, "linear": LogisticRegression, "mlp": Network}
    assert isinstance(estimator, made[kind])


def test_a_user_chooses_the_kind_of_head_and_a_wrong_choice_is_a_sentence() -> None:
    detectors = ("embedder", "statistics")
    assert head_kinds([], detectors) == {}
    assert head_kinds(["embedder=svm_linear"], detectors) == {"embedder": "svm_linear"}
    with pytest.raises(UsageError, match="write DETECTOR=KIND, with one of svm, svm_linear, linear, mlp"):
        head_kinds(["embedder=forest"], detectors)
    for other in ("statistics=svm", "nobody=svm"):
        with pytest.raises(UsageError, match="those with one: embedder"):
            head_kinds([other], detectors)
