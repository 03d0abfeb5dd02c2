"""Settings in the authors' sections: their file is taken, what is unknown or does not fit is told."""

from pathlib import Path

import pytest
import typer
import yaml

from forensics.errors import UsageError
from img_ml.networks.spai.sizes import SpaiSizes
from img_ml.train.spai.config import load
from img_ml.train.spai.key_value import pairs

# The keys and values of the authors' own file, by their released code.
THEIRS = """
MODEL: {SID_APPROACH: freq_restoration, TYPE: vit, NAME: finetune, DROP_PATH_RATE: 0.1, NUM_CLASSES: 2,
  REQUIRED_NORMALIZATION: positive_0_1, RESOLUTION_MODE: arbitrary, FEATURE_EXTRACTION_BATCH: 400,
  VIT: {EMBED_DIM: 768, DEPTH: 12, NUM_HEADS: 12, INIT_VALUES: None, USE_APE: True, USE_RPB: False,
    USE_SHARED_RPB: False, USE_MEAN_POOLING: True, USE_INTERMEDIATE_LAYERS: True, PROJECTION_DIM: 1024,
    PROJECTION_LAYERS: 2, PATCH_PROJECTION: True, PATCH_PROJECTION_PER_FEATURE: True,
    INTERMEDIATE_LAYERS: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]},
  FRE: {MASKING_RADIUS: 16, PROJECTOR_LAST_LAYER_ACTIVATION_TYPE: None, ORIGINAL_IMAGE_FEATURES_BRANCH: True},
  CLS_HEAD: {MLP_RATIO: 3}, PATCH_VIT: {MINIMUM_PATCHES: 4}}
DATA: {DATASET: csv_sid, IMG_SIZE: 224, NUM_WORKERS: 8, AUGMENTED_VIEWS: 4, TEST_PREFETCH_FACTOR: 1}
AUG: {COLOR_JITTER: 0.}
TRAIN: {EPOCHS: 35, WARMUP_EPOCHS: 5, BASE_LR: 5e-4, WARMUP_LR: 2.5e-7, MIN_LR: 2.5e-7, WEIGHT_DECAY: 0.05,
  LAYER_DECAY: 0.8, CLIP_GRAD: None, LOSS: bce}
TEST: {ORIGINAL_RESOLUTION: True}
PRINT_FREQ: 100
SAVE_FREQ: 10
"""


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    path = tmp_path / "spai.yaml"
    path.write_text(THEIRS, encoding="utf-8")
    return str(path)


def test_the_authors_file_is_taken_as_it_is(theirs: str) -> None:
    config = load(theirs, [])
    assert config.sizes == SpaiSizes()
    assert config.TRAIN.BASE_LR == 5e-4
    assert config.TRAIN.CLIP_GRAD is None


def test_keys_that_change_nothing_are_told_once(theirs: str) -> None:
    told: list[str] = []
    load(theirs, [("DATA.VAL_BATCH_SIZE", "4"), ("DATA.VAL_BATCH_SIZE", "8")], told.append)
    assert told == [
        "These settings change nothing here: DATA.TEST_PREFETCH_FACTOR, DATA.VAL_BATCH_SIZE, MODEL.DROP_PATH_RATE, "
        "MODEL.VIT.USE_MEAN_POOLING, PRINT_FREQ, SAVE_FREQ, TRAIN.LAYER_DECAY."
    ]
    for packaged in ("spai", "small"):
        load(packaged, [], told.append)
    assert len(told) == 1


@pytest.mark.parametrize("name", ["spai", "small"])
def test_packaged_settings_are_named(name: str) -> None:
    config = load(name, [])
    assert config.TRAIN.EARLY_STOPPING is not None
    assert (config.sizes == SpaiSizes()) == (name == "spai")


def test_options_go_over_the_file(theirs: str) -> None:
    options = [("DATA.NUM_WORKERS", "4"), ("MODEL.FEATURE_EXTRACTION_BATCH", "32"), ("TRAIN.CLIP_GRAD", "1.0")]
    config = load(theirs, options)
    assert config.DATA.NUM_WORKERS == 4
    assert config.MODEL.FEATURE_EXTRACTION_BATCH == 32
    assert config.TRAIN.CLIP_GRAD == 1.0


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("TRAIN.EPOCH", "3", "Did you mean TRAIN.EPOCHS"),
        ("TRAIN.EPOCHS", "many", "TRAIN.EPOCHS is 'many'"),
        ("TRAIN.EPOCHS", "0", "TRAIN.EPOCHS is 0"),
        ("MODEL.RESOLUTION_MODE", "fixed", "MODEL.RESOLUTION_MODE is 'fixed': leave it out, or set 'arbitrary'"),
        ("MODEL.VIT.NUM_HEAD", "12", "Did you mean MODEL.VIT.NUM_HEADS"),
        ("MODEL.VIT.NUM_HEADS", "8", "or set EMBED_DIM / 64"),
        ("MODEL.PATCH_VIT.PATCH_STRIDE", "112", "or set DATA.IMG_SIZE"),
        ("DATA.IMG_SIZE", "230", "DATA.IMG_SIZE must be"),
        ("MODEL.VIT.INTERMEDIATE_LAYERS", "[1, 2]", "or set the list of every layer"),
        ("SEED.OTHER", "1", "SEED"),
        ("TRAIN.EPOCHS", "[", "TRAIN.EPOCHS is not YAML"),
    ],
)
def test_what_is_unknown_or_does_not_fit_is_told(theirs: str, key: str, value: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load(theirs, [(key, value)])


def test_a_file_that_is_not_there_or_no_settings_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one of small, spai"):
        load("large", [])
    broken = tmp_path / "broken.yaml"
    for content in ("a: [", "just text", yaml.safe_dump([1])):
        broken.write_text(content)
        with pytest.raises(UsageError):
            load(str(broken), [])


def test_an_option_without_a_value_is_told() -> None:
    assert pairs(["TRAIN.EPOCHS=2"]) == [("TRAIN.EPOCHS", "2")]
    with pytest.raises(typer.BadParameter, match="KEY VALUE"):
        pairs(["TRAIN.EPOCHS"])


@pytest.mark.parametrize(
    "text",
    ["MODEL: &a [1]\nDATA: *a", "MODEL: " + "[" * 5000, "MODEL: " + "{a: " * 100 + "1" + "}" * 100],
    ids=["aliases", "lists", "sections"],
)
def test_aliases_and_deep_nesting_are_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"aliases are not read|nested too deeply"):
        load(str(path), [])
    with pytest.raises(UsageError):
        load("spai", [("MODEL.NAME", text.removeprefix("MODEL: "))])
