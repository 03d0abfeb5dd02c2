"""Published classifiers: the label that means AI, the preprocessing of their own, votes, and what is refused."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from forensics.errors import ArtifactError, WeightsError
from forensics.registry import Setup, get
from forensics.types import Measured
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.weights.lock import read_lock
from img_ml.weights.store import install
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import write_ai_art_resnet, write_swin


def probability(weights: Path, name: str, **options: str) -> float:
    load = get(name).load
    assert load is not None
    (signal,) = load(Setup(weights, options=options))([sample_of(photo())])
    assert isinstance(signal, Measured)
    return signal.numbers[f"{name}_prob"]


def test_the_probability_is_that_of_the_label_of_ai_as_transformers_gives_it(tmp_path: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    write_swin(tmp_path, "sdxl_detector")
    folder = tmp_path / "sdxl_detector"
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    with torch.no_grad():
        logits = model(**processor(images=sample_of(photo()).pixels, return_tensors="pt")).logits
    assert probability(tmp_path, "sdxl_detector") == pytest.approx(float(logits.softmax(dim=1)[0, 0]), abs=1e-5)


def test_the_order_of_the_labels_is_read_from_the_model(tmp_path: Path) -> None:
    write_swin(tmp_path / "a", "sdxl_detector", {0: "artificial", 1: "human"})
    write_swin(tmp_path / "b", "sdxl_detector", {0: "human", 1: "Artificial"})
    first, second = (probability(tmp_path / folder, "sdxl_detector") for folder in "ab")
    assert first == pytest.approx(1 - second, abs=1e-6)


def test_several_labels_may_mean_ai(tmp_path: Path) -> None:
    write_swin(tmp_path, "sdxl_detector", {0: "dalle", 1: "photo", 2: "sdxl"})
    both = probability(tmp_path, "sdxl_detector", ai_labels="dalle, SDXL")
    single = [probability(tmp_path, "sdxl_detector", ai_labels=label) for label in ("dalle", "sdxl")]
    assert both == pytest.approx(sum(single), abs=1e-6)


@pytest.mark.parametrize("labels", [{0: "cat", 1: "dog"}, {0: "artificial", 1: "ARTIFICIAL"}], ids=["none", "all"])
def test_labels_that_do_not_fit_are_told(tmp_path: Path, labels: dict[int, str]) -> None:
    write_swin(tmp_path, "sdxl_detector", labels)
    with pytest.raises(WeightsError, match=r"labels of sdxl_detector are '.*name those that do .*\[options.sdxl_det"):
        probability(tmp_path, "sdxl_detector")


def test_the_processor_of_convnext_keeps_the_middle_as_transformers_does(tmp_path: Path) -> None:
    from transformers import ConvNextImageProcessorPil

    from img_ml.engine.preprocess import Preprocessor, published

    write_ai_art_resnet(tmp_path)
    path = tmp_path / "ai_art_resnet" / "preprocessor_config.json"
    pixels = photo()[:150]
    theirs = ConvNextImageProcessorPil.from_pretrained(path.parent)(images=pixels, return_tensors="np")["pixel_values"]
    ours = Preprocessor(published(path), "cpu")(pixels)
    assert np.abs(ours.numpy() - theirs[0]).max() < 1e-5


@pytest.mark.parametrize(("text", "squash"), [('"size": 224', 224), ('"size": {"height": 384, "width": 384}', 384)])
def test_the_processor_of_vit_squashes_to_a_square(tmp_path: Path, text: str, squash: int) -> None:
    from img_ml.engine.preprocess import published

    path = tmp_path / "preprocessor_config.json"
    ends = '"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]'
    path.write_text(f'{{"feature_extractor_type": "ViTFeatureExtractor", {text}, {ends}}}')
    facts = published(path)
    assert (facts.squash, facts.crop, facts.shortest) == (squash, squash, 0)


def test_a_missing_tensor_is_told(tmp_path: Path) -> None:
    write_swin(tmp_path, "sdxl_detector")
    _rewrite(tmp_path, "sdxl_detector", lambda tensors: tensors.pop("classifier.bias"))
    with pytest.raises(WeightsError, match=r"sdxl_detector lacks the tensor classifier\.bias"):
        probability(tmp_path, "sdxl_detector")


def test_what_transformers_says_of_a_file_does_not_reach_stderr(tmp_path: Path) -> None:
    write_swin(tmp_path, "sdxl_detector")
    before = probability(tmp_path, "sdxl_detector")
    # As checkpoints of older releases hold tensors that are counted today.
    _rewrite(tmp_path, "sdxl_detector", lambda tensors: tensors.update({"old.index": torch.zeros(1)}))
    said: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = said.append  # type: ignore[method-assign]
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        assert probability(tmp_path, "sdxl_detector") == before
    finally:
        logger.removeHandler(handler)
    assert said == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "The config.json of sdxl_detector cannot be used"),
        ('{"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine"}}', "contains custom code"),
        ('{"model_type": "siglip_text_model"}', "sdxl_detector cannot be loaded by transformers"),
    ],
    ids=["no object", "code", "another kind"],
)
def test_a_configuration_that_does_not_do_is_told_and_runs_nothing(tmp_path: Path, content: str, told: str) -> None:
    write_swin(tmp_path, "sdxl_detector")
    _rewrite(tmp_path, "sdxl_detector", lambda _: None, content)
    (tmp_path / "sdxl_detector" / "mine.py").write_text("raise SystemExit")
    with pytest.raises(WeightsError, match=told) as refused:
        probability(tmp_path, "sdxl_detector")
    assert len(str(refused.value).splitlines()) == 1


def test_a_tensor_of_another_shape_is_told(tmp_path: Path) -> None:
    write_swin(tmp_path, "sdxl_detector")
    _rewrite(tmp_path, "sdxl_detector", lambda tensors: tensors.update({"classifier.bias": torch.zeros(3)}))
    with pytest.raises(
        WeightsError, match=r"The tensor classifier.bias of sdxl_detector has the shape \(3,\), not \(2,\)"
    ):
        probability(tmp_path, "sdxl_detector")


def _rewrite(weights: Path, name: str, change: object, config: str = "") -> None:
    """Install the same weights once more, their tensors or their configuration changed."""
    before = {path.name: path.read_bytes() for path in (weights / name).iterdir()}

    def fill(folder: Path) -> str:
        for file, data in before.items():
            (folder / file).write_bytes(data)
        tensors = load_file(folder / "model.safetensors")
        change(tensors)  # type: ignore[operator]
        (folder / "model.safetensors").unlink()
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        if config:
            (folder / "config.json").write_text(config)
        return ""

    install(find(name), weights, "tiny", fill)
    assert name in read_lock(weights)


def test_votes_change_the_number_and_the_mark_and_are_repeatable(tmp_path: Path) -> None:
    write_swin(tmp_path, "sdxl_detector")
    one, five, again = (probability(tmp_path, "sdxl_detector", votes=votes) for votes in ("1", "5", "5"))
    assert five == again
    assert one != five
    load = get("sdxl_detector").load
    assert load is not None
    marks = {load(Setup(tmp_path, options={"votes": votes})).weights_sha256 for votes in ("1", "5")}  # type: ignore[attr-defined]
    assert len(marks) == 2
    with pytest.raises(ArtifactError, match="whole number"):
        probability(tmp_path, "sdxl_detector", votes="seven")
