"""The live judge: takes what verifies, refuses what does not, and never stops judging."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from forensics.errors import ArtifactError
from forensics.examine import Examined, examine
from forensics.reading.decode import decode
from fusion.artifacts.artifact import POINTER_FILE, load_artifact
from fusion.artifacts.live import LiveJudge, load_live_judge
from fusion.artifacts.pointer import point, point_back
from fusion.settings import FusionSettings
from img_ml.settings import ImgMlSettings
from tests.fusion.conftest import photo_like
from tests.fusion.test_judge import png


@pytest.fixture
def models(artifact: Path, logistic: Path, tmp_path: Path) -> Path:
    shutil.copytree(artifact, tmp_path / "light")
    shutil.copytree(logistic, tmp_path / "logistic")
    return tmp_path


@pytest.fixture
def judge(models: Path) -> LiveJudge:
    return load_live_judge(ImgMlSettings(IMG_ML_MODEL_DIR=models), FusionSettings(FUSION_THRESHOLD=0.5))


def marks(judge: LiveJudge) -> set[str]:
    """The fingerprints on the verdicts of one batch."""
    examined = [seen(judge, photo_like(s, smooth=True)) for s in (1, 2)]
    return {verdict.fingerprint for verdict in judge.conclude(examined)}


def seen(judge: LiveJudge, image: Image.Image) -> Examined:
    """The image after the analyzers."""
    sample = decode(png(image))
    return Examined(examine(sample, judge.analyzers), sample)


def test_nothing_new_is_nothing_done(judge: LiveJudge, models: Path) -> None:
    own = load_artifact(models / "light").fingerprint
    assert judge.refresh().outcome == judge.refresh(force=True).outcome == "unchanged"
    assert marks(judge) == {own}


def test_a_changed_pointer_is_taken_and_gone_back_from(judge: LiveJudge, models: Path) -> None:
    own, other = (load_artifact(models / name).fingerprint for name in ("light", "logistic"))
    point(models / "light", models / "logistic")
    found = judge.refresh()
    assert (found.outcome, found.fingerprint, found.earlier) == ("taken", other, own)
    assert marks(judge) == {other}
    point_back(models / "light", load_artifact)
    assert judge.refresh().outcome == "taken"
    assert marks(judge) == {own}


def test_an_artifact_replaced_in_its_place_is_taken(judge: LiveJudge, models: Path) -> None:
    shutil.rmtree(models / "light")
    shutil.copytree(models / "logistic", models / "light")
    assert judge.refresh().outcome == "taken"


def test_the_one_threshold_of_the_settings_outlives_the_change(judge: LiveJudge, models: Path) -> None:
    point(models / "light", models / "logistic")
    judge.refresh()
    examined = [seen(judge, photo_like(s, smooth=s % 2 == 0)) for s in range(6)]
    assert {verdict.label for verdict in judge.conclude(examined)} == {"AI", "NON-AI"}


def test_an_artifact_that_is_copied_manifest_first_is_taken_when_it_is_whole(judge: LiveJudge, models: Path) -> None:
    (models / "coming").mkdir()
    shutil.copy(models / "logistic" / "manifest.json", models / "coming")
    point(models / "light", models / "coming")
    assert judge.refresh().outcome == "refused"
    shutil.copytree(models / "logistic", models / "coming", dirs_exist_ok=True)
    assert judge.refresh().outcome == "taken"


def test_an_artifact_that_rests_on_detectors_the_profile_does_not_run_is_refused(models: Path) -> None:
    profile = models / "small.toml"
    profile.write_text('detectors = ["exif"]\nartifact = "light"\n')
    with pytest.raises(ArtifactError, match=r"does not run: .*noise"):
        load_live_judge(ImgMlSettings(IMG_ML_PROFILE=str(profile), IMG_ML_MODEL_DIR=models), FusionSettings())


@pytest.mark.parametrize("damage", ["model", "manifest", "pointer", "gone"])
def test_what_does_not_verify_is_refused_once_and_the_old_one_goes_on(
    judge: LiveJudge, models: Path, damage: str
) -> None:
    own = load_artifact(models / "light").fingerprint
    other = models / "logistic"
    if damage == "model":
        (other / "fusion.logistic.json").write_bytes(b"x")
    elif damage == "manifest":
        (other / "manifest.json").write_text("{")
    point(models / "light", models / "nowhere" if damage == "gone" else other)
    if damage == "pointer":
        (models / "light" / POINTER_FILE).write_text("{")
    found = judge.refresh()
    assert (found.outcome, found.fingerprint) == ("refused", own)
    assert found.reason
    assert judge.refresh().outcome == "unchanged"
    assert judge.refresh(force=True).outcome == "refused"
    assert marks(judge) == {own}


def test_a_mended_artifact_is_taken_after_it_was_refused(judge: LiveJudge, models: Path) -> None:
    sound = (models / "logistic" / "manifest.json").read_bytes()
    (models / "logistic" / "manifest.json").write_text("{")
    point(models / "light", models / "logistic")
    assert judge.refresh().outcome == "refused"
    (models / "logistic" / "manifest.json").write_bytes(sound)
    assert judge.refresh().outcome == "taken"


@pytest.fixture
def untrained(models: Path) -> LiveJudge:
    """A judge of the full profile, which has no artifact yet."""
    given = ImgMlSettings(IMG_ML_PROFILE="full", IMG_ML_MODEL_DIR=models, IMG_ML_WEIGHTS_DIR=models / "no-weights")
    judge = load_live_judge(given, FusionSettings())
    assert judge.kind == "prior"
    return judge


@pytest.mark.parametrize("way", ["pointer", "trained into the folder"])
def test_a_trained_artifact_takes_over_from_the_prior_as_soon_as_there_is_one(
    untrained: LiveJudge, models: Path, way: str
) -> None:
    before, other = untrained.fingerprint, load_artifact(models / "logistic").fingerprint
    assert untrained.refresh().outcome == "unchanged"
    if way == "pointer":
        point(models / "full", models / "logistic")
    else:
        shutil.copytree(models / "logistic", models / "coming")
        (models / "coming").rename(models / "full")
    found = untrained.refresh()
    assert (found.outcome, found.fingerprint, found.earlier) == ("taken", other, before)
    assert (untrained.kind, marks(untrained)) == ("trained", {other})


def test_a_half_written_first_artifact_is_refused_and_the_prior_goes_on_until_it_is_whole(
    untrained: LiveJudge, models: Path
) -> None:
    before = untrained.fingerprint
    (models / "full").mkdir()
    shutil.copy(models / "logistic" / "fusion.json", models / "full")
    assert untrained.refresh().outcome == "unchanged"  # nothing yet that claims to be an artifact
    shutil.copy(models / "logistic" / "manifest.json", models / "full")
    assert untrained.refresh().outcome == "refused"
    assert (untrained.kind, marks(untrained)) == ("prior", {before})
    shutil.copytree(models / "logistic", models / "full", dirs_exist_ok=True)
    assert untrained.refresh().outcome == "taken"


def test_another_light_model_is_taken_by_the_prior_that_rests_on_it(untrained: LiveJudge, models: Path) -> None:
    before = untrained.fingerprint
    point(models / "light", models / "logistic")
    assert untrained.refresh().outcome == "taken"
    assert untrained.fingerprint != before
    assert untrained.kind == "prior"


def test_a_trained_artifact_that_is_gone_is_not_exchanged_for_the_prior(untrained: LiveJudge, models: Path) -> None:
    point(models / "full", models / "logistic")
    untrained.refresh()
    (models / "full" / POINTER_FILE).unlink()
    found = untrained.refresh()
    assert (found.outcome, "a restart goes back to the prior" in found.reason) == ("refused", True)
    assert (untrained.kind, marks(untrained)) == ("trained", {load_artifact(models / "logistic").fingerprint})
