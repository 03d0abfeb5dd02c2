"""The prior: published classifiers beside the light model, bounded, told, and marked as what it is."""

import io
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forensics import registry
from forensics.errors import ArtifactError
from forensics.reading.decode import decode
from forensics.registry import MOST_PRIOR_ACCURACY, Prior
from forensics.types import Skipped
from fusion.artifacts.artifact import load_artifact
from fusion.artifacts.in_force import fusion_in_force
from fusion.calibration import Thresholds
from fusion.judge import Judge, load_judge
from fusion.prior import share, widened
from fusion.settings import FusionSettings
from fusion.verdict import Verdict
from img_ml.profiles import load_profile
from img_ml.settings import PACKAGED_MODELS, ImgMlSettings
from tests.fusion import published
from tests.fusion.conftest import photo_like
from tests.fusion.published import Published

LIGHT = load_artifact(PACKAGED_MODELS / "light")


def picture(side: int = 224) -> bytes:
    buffer = io.BytesIO()
    photo_like(7, smooth=False).crop((0, 0, side, side)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[Published, Published]:
    return published.register(monkeypatch)


def judge(tmp_path: Path, profile: str = "full", **fusion: object) -> Judge:
    """A judge of a model folder that holds nothing, and so no artifact of any profile."""
    settings = ImgMlSettings(
        IMG_ML_PROFILE=profile, IMG_ML_MODEL_DIR=tmp_path / "none", IMG_ML_WEIGHTS_DIR=tmp_path / "no-weights"
    )
    return load_judge(settings, FusionSettings(**fusion))


def verdict(tmp_path: Path, **fusion: object) -> Verdict:
    return judge(tmp_path, **fusion).judge([decode(picture())])[0]


def log_odds(probability: float | None) -> float:
    assert probability is not None
    return math.log(probability / (1 - probability))


def light_log_odds() -> float:
    plain = load_judge(ImgMlSettings(), FusionSettings()).judge([decode(picture())])[0]
    return log_odds(plain.fusion_prob)


def weights(told: Verdict) -> dict[str, float]:
    return {reason.aspect: reason.weight for reason in told.reasons}


def test_log_odds_are_the_light_models_and_the_bounded_shares_of_each_detector(
    tmp_path: Path, pair: tuple[Published, Published]
) -> None:
    pair[0].says, pair[1].says = 0.8, 0.2
    # The formula of the docs, written out: logit(accuracy) * clip(logit(p) / 3, -1, 1).
    strong = math.log(0.75 / 0.25) * math.log(4) / 3
    weak = -math.log(0.596 / 0.404) * math.log(4) / 3
    told = verdict(tmp_path)
    assert log_odds(told.fusion_prob) == pytest.approx(light_log_odds() + strong + weak)
    assert weights(told)["test_strong"] == pytest.approx(strong)
    assert weights(told)["test_weak"] == pytest.approx(weak)


@pytest.mark.parametrize("certainty", [0.0, 1.0])
def test_a_detector_that_is_as_sure_as_can_be_adds_what_its_accuracy_is_worth_and_no_more(certainty: float) -> None:
    bound = math.log(0.75 / 0.25)
    found = share(Prior("x", 0.75, "r"), certainty)
    assert found == pytest.approx(bound if certainty else -bound)
    assert share(Prior("x", 0.75, "r"), 0.5) == 0


def test_no_accuracy_that_may_be_declared_reaches_a_label_alone() -> None:
    most = share(Prior("x", float(np.nextafter(MOST_PRIOR_ACCURACY, 0)), "r"), 1.0)
    band = widened(Thresholds(0.5, 0.5))
    assert 1 / (1 + math.exp(-most)) < band.ai
    assert 1 / (1 + math.exp(most)) > band.non_ai


def test_the_band_is_never_narrower_than_the_light_models() -> None:
    assert widened(Thresholds(0.84, 0.25)) == Thresholds(0.9, pytest.approx(0.1))
    assert widened(Thresholds(0.97, 0.02)) == Thresholds(0.97, 0.02)


@pytest.mark.parametrize("says", [0.0, 0.5, 1.0])
def test_labels_keep_to_the_wide_band_unless_a_threshold_is_set(
    tmp_path: Path, pair: tuple[Published, Published], says: float
) -> None:
    pair[0].says = pair[1].says = says
    told, strict = verdict(tmp_path), verdict(tmp_path, FUSION_THRESHOLD=0.5)
    assert told.fusion_prob is not None
    assert told.label == widened(LIGHT.model.thresholds).label(told.fusion_prob)
    assert strict.label == ("AI" if told.fusion_prob >= 0.5 else "NON-AI")


def test_each_detector_of_the_prior_has_a_reason_that_says_what_it_is(
    tmp_path: Path, pair: tuple[Published, Published]
) -> None:
    pair[0].says, pair[1].says = 0.93, 0.5
    told = verdict(tmp_path)
    sentences = {reason.aspect: reason.sentence for reason in told.reasons}
    assert sentences["test_strong"] == (
        "Test_strong: its probability of AI is 0.93, by a prior weight that no training on your data gave; "
        "speaks for AI (+0.95 log-odds)."
    )
    assert "speaks for neither (+0.00 log-odds)" in sentences["test_weak"]
    assert "test_absent" not in sentences
    assert [abs(r.weight) for r in told.reasons] == sorted((abs(r.weight) for r in told.reasons), reverse=True)


def test_a_skipped_or_missing_detector_adds_nothing_and_is_named(
    tmp_path: Path, pair: tuple[Published, Published]
) -> None:
    pair[0].says, pair[1].says = None, 0.9
    told = verdict(tmp_path)
    expected = light_log_odds() + math.log(0.596 / 0.404) * math.log(9) / 3
    assert log_odds(told.fusion_prob) == pytest.approx(expected)
    skipped = {s.detector: s.reason for s in told.evidence.signals if isinstance(s, Skipped)}
    assert skipped["test_strong"] == "it does not like the image"
    assert "python -m img_ml.weights pull test_absent" in skipped["test_absent"]


@pytest.mark.parametrize("profile", ["standard", "full"])
def test_without_any_weights_the_probability_is_the_light_models_and_each_detector_says_how_to_pull_it(
    tmp_path: Path, profile: str
) -> None:
    told = judge(tmp_path, profile).judge([decode(picture())])[0]
    assert told.fusion == "prior"
    assert log_odds(told.fusion_prob) == pytest.approx(light_log_odds())
    skipped = {s.detector: s.reason for s in told.evidence.signals if isinstance(s, Skipped)}
    learned = [name for name in load_profile(profile, tmp_path).detectors if registry.get(name).load is not None]
    missing = [name for name in learned if name not in load_profile("light", tmp_path).detectors]
    assert missing
    for name in missing:
        assert re.search(r"python -m img_ml\.(weights pull|train) \S+", skipped[name]), name


def test_an_image_too_small_for_the_light_model_gets_no_probability_from_the_others(
    tmp_path: Path, pair: tuple[Published, Published]
) -> None:
    told = judge(tmp_path).judge([decode(picture(20))])[0]
    assert (told.label, told.fusion_prob, told.confidence) == ("UNCERTAIN", None, None)
    assert [(reason.aspect, reason.weight) for reason in told.reasons] == [("too_small", 0.0)]


def test_the_fingerprint_tells_pools_apart_from_each_other_and_from_artifacts(
    tmp_path: Path, pair: tuple[Published, Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = load_profile("full", tmp_path / "none")
    first = fusion_in_force(profile)
    assert first.kind == "prior"
    assert re.fullmatch(r"[0-9a-f]{16}", first.fingerprint)
    assert first.fingerprint == fusion_in_force(profile).fingerprint != LIGHT.fingerprint
    entry = registry.get("test_weak")
    assert entry.spec.prior is not None
    surer = replace(entry.spec, prior=replace(entry.spec.prior, accuracy=0.6))
    monkeypatch.setitem(registry._ENTRIES, "test_weak", replace(entry, spec=surer))
    second = fusion_in_force(profile)
    monkeypatch.setitem(registry._ENTRIES, "test_weak", replace(entry, spec=replace(entry.spec, prior=None)))
    third = fusion_in_force(profile)
    assert len({first.fingerprint, second.fingerprint, third.fingerprint}) == 3
    assert fusion_in_force(load_profile("standard", tmp_path / "none")).fingerprint != first.fingerprint


def test_the_light_model_of_the_users_own_folder_comes_first(tmp_path: Path, logistic: Path) -> None:
    shutil.copytree(logistic, tmp_path / "light")
    own = fusion_in_force(load_profile("full", tmp_path))
    shipped = fusion_in_force(load_profile("full", tmp_path / "none"))
    assert own.folder == tmp_path / "light"
    assert shipped.folder == PACKAGED_MODELS / "light"
    assert own.fingerprint != shipped.fingerprint


def test_a_number_that_the_light_model_weighs_already_is_not_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    name = next(f.name for f in LIGHT.model.schema.features if f.detector == "crop_network")
    entry = registry.get("crop_network")
    declared = replace(entry.spec, prior=Prior(name, 0.7, "a test"))
    monkeypatch.setitem(registry._ENTRIES, "crop_network", replace(entry, spec=declared))
    assert fusion_in_force(load_profile("full", tmp_path)).priors == tuple(
        e.spec for e in registry.entries() if e.spec.prior is not None and e.spec.name != "crop_network"
    )


def test_the_shipped_light_profile_is_as_it_was_trained() -> None:
    found = fusion_in_force(load_profile("light", PACKAGED_MODELS))
    assert (found.kind, found.fingerprint, found.priors) == ("trained", LIGHT.fingerprint, ())
    assert found.thresholds == LIGHT.model.thresholds
    told = load_judge(ImgMlSettings(), FusionSettings()).judge([decode(picture())])[0]
    assert (told.fusion, told.fingerprint) == ("trained", LIGHT.fingerprint)


def test_light_without_its_artifact_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="There is no fusion model in"):
        judge(tmp_path, "light")


def test_a_profile_of_ones_own_without_the_light_detectors_is_refused_in_a_sentence(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('detectors = ["dino", "exif"]\n')
    with pytest.raises(
        ArtifactError, match=r"light one cannot stand in for it: .*'mine' does not run clip_b16, crop_network. Train"
    ):
        judge(tmp_path, str(profile))


@pytest.mark.parametrize("damage", ["manifest", "pointer", "model"])
def test_a_damaged_artifact_is_refused_and_no_prior_covers_it_up(tmp_path: Path, artifact: Path, damage: str) -> None:
    shutil.copytree(artifact, tmp_path / "full")
    if damage == "manifest":
        (tmp_path / "full" / "manifest.json").write_text("{")
    elif damage == "pointer":
        (tmp_path / "full" / "current.json").write_text('{"artifact": "../gone"}')
    else:
        (tmp_path / "full" / "fusion.ubj").write_bytes(b"x")
    with pytest.raises(ArtifactError):
        fusion_in_force(load_profile("full", tmp_path))


def test_a_flat_image_is_answered_like_any_other(tmp_path: Path, pair: tuple[Published, Published]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 300), (9, 9, 9)).save(buffer, "PNG")
    (told,) = judge(tmp_path).judge([decode(buffer.getvalue())])
    assert told.fusion_prob is None or 0 < told.fusion_prob < 1
