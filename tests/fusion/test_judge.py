"""The judge: samples in, verdicts out."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import logit

from forensics.errors import ArtifactError
from forensics.examine import Examined, examine
from forensics.reading.decode import decode
from forensics.types import Claim, Measured
from fusion.judge import Judge, load_judge
from fusion.settings import FusionSettings
from img_ml.settings import ImgMlSettings
from tests.fusion.conftest import photo_like


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def settings(artifact: Path) -> ImgMlSettings:
    return ImgMlSettings(IMG_ML_MODEL_DIR=artifact.parent)


@pytest.fixture(scope="module")
def judge(artifact: Path) -> Judge:
    return load_judge(settings(artifact), FusionSettings())


@pytest.fixture(scope="module")
def smooth() -> bytes:
    return png(photo_like(5000, smooth=True))


@pytest.fixture(scope="module")
def grainy() -> bytes:
    return png(photo_like(5001, smooth=False))


def test_classes_that_differ_by_grain_are_told_apart(judge: Judge, smooth: bytes, grainy: bytes) -> None:
    generated, photo = judge.judge([decode(smooth), decode(grainy)])
    assert generated.fusion_prob is not None
    assert photo.fusion_prob is not None
    assert generated.fusion_prob > 0.8 > 0.2 > photo.fusion_prob
    assert generated.reasons[0].weight > 0 > photo.reasons[0].weight


def test_the_same_bytes_give_the_same_verdict_alone_or_in_a_batch(judge: Judge, smooth: bytes, grainy: bytes) -> None:
    alone = judge.judge([decode(smooth)])[0]
    batched = judge.judge([decode(grainy), decode(smooth), decode(grainy)])[1]
    assert alone.fusion_prob == batched.fusion_prob
    assert alone.reasons == batched.reasons


def test_reasons_do_not_weigh_more_than_the_log_odds_they_explain(judge: Judge, smooth: bytes) -> None:
    verdict = judge.judge([decode(smooth)])[0]
    assert verdict.fusion_prob is not None
    assert sum(r.weight for r in verdict.reasons) == pytest.approx(logit(verdict.fusion_prob), abs=2.0)


def test_examined_elsewhere_is_judged_alike(judge: Judge, smooth: bytes) -> None:
    sample = decode(smooth)
    here, elsewhere = judge.judge([sample])[0], judge.conclude([Examined(examine(sample, judge.analyzers), sample)])[0]
    assert here.fusion_prob == elsewhere.fusion_prob


def test_a_tiny_image_is_uncertain_without_a_probability(judge: Judge) -> None:
    verdict = judge.judge([decode(png(Image.new("RGB", (1, 1))))])[0]
    assert (verdict.label, verdict.fusion_prob, verdict.confidence) == ("UNCERTAIN", None, None)


def test_no_images_give_no_verdicts(judge: Judge) -> None:
    assert judge.judge([]) == []


def test_one_threshold_closes_the_band(artifact: Path, smooth: bytes, grainy: bytes) -> None:
    strict = load_judge(settings(artifact), FusionSettings(FUSION_THRESHOLD=0.5))
    labels = [v.label for v in strict.judge([decode(smooth), decode(grainy)])]
    assert labels == ["AI", "NON-AI"]


def with_claim(sample_evidence: Examined, claim: Claim) -> Examined:
    from dataclasses import replace

    signal = Measured("provenance", {}, "s", claims=(claim,))
    evidence = sample_evidence.evidence
    return replace(sample_evidence, evidence=replace(evidence, signals=(*evidence.signals, signal)))


@pytest.mark.parametrize(
    ("says_ai", "decisive", "label_changes"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_only_a_decisive_claim_of_ai_sets_the_label_and_never_the_probability(
    judge: Judge, grainy: bytes, says_ai: bool, decisive: bool, label_changes: bool
) -> None:
    sample = decode(grainy)
    examined = Examined(examine(sample, judge.analyzers), sample)
    plain = judge.conclude([examined])[0]
    claimed = judge.conclude([with_claim(examined, Claim("test", says_ai, decisive, "It says so."))])[0]
    assert claimed.fusion_prob == plain.fusion_prob
    if label_changes:
        assert (claimed.label, claimed.basis, claimed.confidence) == ("AI", "provenance", None)
    else:
        assert (claimed.label, claimed.basis) == (plain.label, "pixels")


def test_confidence_is_the_probability_of_the_label(judge: Judge, smooth: bytes, grainy: bytes) -> None:
    for verdict in judge.judge([decode(smooth), decode(grainy)]):
        assert verdict.fusion_prob is not None
        assert verdict.confidence is not None
        expected = verdict.fusion_prob if verdict.label == "AI" else 1 - verdict.fusion_prob
        if verdict.label == "UNCERTAIN":
            expected = max(verdict.fusion_prob, 1 - verdict.fusion_prob)
        assert verdict.confidence == pytest.approx(expected)


def test_an_unknown_profile_is_refused_in_a_sentence(artifact: Path) -> None:
    with pytest.raises(ArtifactError, match="no profile 'huge'"):
        load_judge(ImgMlSettings(IMG_ML_PROFILE="huge", IMG_ML_MODEL_DIR=artifact.parent), FusionSettings())


def test_probabilities_are_finite(judge: Judge, smooth: bytes) -> None:
    assert np.isfinite(judge.judge([decode(smooth)])[0].fusion_prob or np.nan)
