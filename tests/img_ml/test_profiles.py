"""Profiles: the built-in ones grow by tier, a user's own is a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from forensics.errors import ArtifactError, RegistryError
from img_ml.profiles import load_profile


def test_each_built_in_profile_holds_the_smaller_ones() -> None:
    light, standard, full = (set(load_profile(name, Path("m")).detectors) for name in ("light", "standard", "full"))
    assert {"ela", "exif", "provenance", "compression", "noise", "spectrum", "statistics"} <= light
    assert light <= standard <= full


def test_tiny_is_light_without_its_encoder_and_has_the_artifact_that_light_falls_back_to() -> None:
    tiny, light = load_profile("tiny", Path("m")), load_profile("light", Path("m"))
    assert set(light.detectors) - set(tiny.detectors) == {"clip_b16"}
    assert tiny.artifact == light.artifact / "without" / "clip_b16"


def test_naming_detectors_imports_none_of_their_frameworks() -> None:
    heavy = "{'torch', 'timm', 'transformers', 'open_clip', 'safetensors.torch'}"
    code = f"import sys, img_ml.profiles, img_ml.train.__main__; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_artifact_lies_in_the_model_folder() -> None:
    assert load_profile("light", Path("models")).artifact == Path("models/light")


def test_a_profile_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('detectors = ["noise", "ela"]\nartifact = "trained"\n')
    profile = load_profile(str(path), Path("models"))
    assert (profile.name, profile.detectors, profile.artifact) == ("mine", ("ela", "noise"), tmp_path / "trained")


def test_a_profile_of_ones_own_may_read_images_as_published_detectors_do(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('detectors = ["noise"]\nas_published = true\n')
    assert load_profile(str(path), Path("models")).as_published
    assert not load_profile("light", Path("models")).as_published


def test_a_profile_of_ones_own_may_place_its_detectors(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('detectors = ["dino", "clip_bigg"]\n[devices]\nclip_bigg = "cpu"\n')
    assert load_profile(str(path), Path("models")).devices == {"clip_bigg": "cpu"}


def test_a_profile_of_ones_own_may_tell_a_detector_more(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('detectors = ["dino"]\ntier = "standard"\n[options.dino]\nweights = "dinov2-large"\n')
    profile = load_profile(str(path), Path("models"))
    assert (profile.tier, profile.options) == ("standard", {"dino": {"weights": "dinov2-large"}})


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ('detectors = ["dino"]\ntier = "huge"', ArtifactError, "cannot be used"),
        ('detectors = ["dino"]\noptions = 3', ArtifactError, "cannot be used"),
        ('detectors = ["dino"]\n[options.dina]\nx = 1', RegistryError, "Did you mean 'dino'"),
        ('detectors = ["elo"]', RegistryError, "Did you mean 'ela'"),
        ('detectors = ["ela"]\nas_published = 1', ArtifactError, "not true or false"),
        ('detectors = ["dino"]\n[devices]\ndino = "gpu"', ArtifactError, "not cpu, cuda, cuda:N or mps"),
        ('detectors = ["ela"]\n[devices]\nela = "cuda"', ArtifactError, "runs on the CPU alone"),
        ("detectors = 3", ArtifactError, "cannot be used"),
        ("name = 'x'", ArtifactError, "cannot be used"),
        ("detectors = [", ArtifactError, "cannot be used"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path: Path, text: str, error: type[Exception], told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(error, match=told):
        load_profile(str(path), Path("models"))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ArtifactError, match="light, standard, full"):
        load_profile("huge", Path("models"))


def test_a_profile_that_is_nested_too_deeply_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("detectors = " + "[" * 100_000)
    with pytest.raises(ArtifactError, match="nested too deeply"):
        load_profile(str(path), tmp_path)
