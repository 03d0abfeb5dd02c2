"""Classifiers that a profile file names: detectors like the others, with weights that can be pulled."""

import subprocess
import sys
from pathlib import Path

import pytest

from forensics.errors import ArtifactError, ImgMlError
from img_ml.weights.table import records

USE = """
from pathlib import Path
from forensics.registry import Setup, get
from fusion.features import schema_of
from fusion.output.result import result_model
from img_ml.profiles import load_profile
from img_ml.weights.table import find, needed
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import write_swin

before = result_model()
profile = load_profile({path!r}, Path("models"))
assert profile == load_profile({path!r}, Path("models"))
assert profile.detectors == ("ela", "mine")
assert find("mine").repository == "someone/swin"
assert [record.name for record in needed("mine", "light")] == ["mine"]
assert "mine_prob" in schema_of(profile.detectors).names
assert "mine_prob" in result_model().model_fields and "mine_prob" not in before.model_fields
write_swin(Path({weights!r}), "mine", {{0: "real", 1: "fake"}})
print(get("mine").load(Setup(Path({weights!r})))([sample_of(photo())])[0].sentence)
"""
TABLE = '[classifiers.mine]\nrepository = "someone/swin"\nai_labels = ["fake"]\ntitle = "My Swin"\n'


def test_a_named_classifier_is_a_detector_with_weights_a_feature_and_a_headline(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'detectors = ["ela", "mine"]\ntier = "light"\n{TABLE}')
    code = USE.format(path=str(path), weights=str(tmp_path / "weights"))
    # A process of its own, for what is registered stays.
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("My Swin gives a probability of ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[classifiers."Mine!"]\nrepository = "a/b"\nai_labels = ["x"]', "needs a name of small letters"),
        ('[classifiers.mine]\nrepository = "a/b"', "needs repository and ai_labels"),
        ('[classifiers.mine]\nrepository = "a/b"\nai_labels = ["x"]\nlabel = 1', "nothing else"),
        ('[classifiers.mine]\nrepository = "swin"\nai_labels = ["x"]', "not OWNER/NAME"),
        ('[classifiers.mine]\nrepository = "../.."\nai_labels = ["x"]', "not OWNER/NAME"),
        ('[classifiers.mine]\nrepository = "a/b"\nai_labels = "x"', "not a list of texts"),
        ('[classifiers.sdxl_detector]\nrepository = "a/b"\nai_labels = ["x"]', "choose another name"),
        ('[classifiers.ela]\nrepository = "a/b"\nai_labels = ["x"]', "choose another name"),
        ('[classifiers.autoencoder]\nrepository = "a/b"\nai_labels = ["x"]', "already weights named 'autoencoder'"),
        ("classifiers = 3", "cannot be used"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    from img_ml.profiles import load_profile

    path = tmp_path / "own.toml"
    path.write_text(f'{text}\ndetectors = ["ela"]' if "[" not in text[:1] else f'detectors = ["ela"]\n{text}')
    with pytest.raises(ImgMlError, match=told) as caught:
        load_profile(str(path), Path("models"))
    assert isinstance(caught.value, ArtifactError)
    assert "ela" not in {record.name for record in records()}
