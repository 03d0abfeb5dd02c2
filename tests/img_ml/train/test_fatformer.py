"""Training FatFormer by its command: adapters and prompts learn, CLIP stays as it was, and the detector loads it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from forensics.registry import Setup
from forensics.types import Measured
from img_ml.data.dataset import Row, read_rows
from img_ml.detectors.fatformer import load
from img_ml.train.__main__ import app
from img_ml.train.fatformer import AdapterTraining, learns, squashed_crops
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from tests.forensics.pictures import sample_of
from tests.img_ml.tiny import tiny_fatformer, write_fatformer
from tests.img_ml.train.conftest import picture

FACTS = Preprocessing(crop=224, squash=256, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def test_clip_stays_and_adapters_prompts_and_the_interactor_learn(dataset: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    write_fatformer(weights)
    before = load_file(weights / "fatformer" / "model.safetensors")
    options = {"steps": 12, "batch": 4, "check-every": 6, "learning-rate": 0.003, "threads": 1}
    given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    checkpoint = tmp_path / "kept.safetensors"
    result = CliRunner().invoke(
        app,
        ["fatformer", "--dataset", str(dataset), "--checkpoint", str(checkpoint), *given],
        env={"IMG_ML_WEIGHTS_DIR": str(weights), "IMG_ML_DEVICE": "cpu"},
    )
    assert result.exit_code == 0, result.output
    assert "million parameters learn" in result.output
    after = load_file(weights / "fatformer" / "model.safetensors")
    assert after.keys() == before.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {"language_guided_alignment.ctx", "text_guided_interactor.in_proj_weight"} <= moved
    assert any(".forgery_aware_adapter." in name for name in moved)
    # `image_encoder` and `text_encoder` name parts of CLIP and its adapters once more.
    names = {
        name.replace("image_encoder.", "clip_model.visual.").replace("text_encoder.", "clip_model.") for name in moved
    }
    assert not [name for name in names if not learns(name)]
    (signal,) = load(Setup(weights))([sample_of(np.asarray(picture(1, smooth=True)))])
    assert isinstance(signal, Measured)


def test_only_what_learns_stands_in_a_checkpoint_and_it_comes_back_whole() -> None:
    network = AdapterTraining(tiny_fatformer(), FACTS)  # type: ignore[arg-type]
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert kept
    assert all(learns(name.removeprefix("network.")) for name in kept)
    images = torch.rand(2, 3, 224, 224) * 255
    with torch.no_grad():
        before = network(images)
        for name, parameter in network.network.named_parameters():
            if learns(name):
                parameter.add_(1.0)
        assert not torch.allclose(network(images), before)
        whole = network.whole(kept)
        assert torch.equal(network(images), before)
    assert whole.keys() == tiny_fatformer().state_dict().keys()


def test_a_logit_is_the_evidence_for_fake_minus_that_for_real_on_normalised_pixels() -> None:
    plain = tiny_fatformer()
    images = torch.rand(2, 3, 224, 224)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        real, fake = plain((images - mean) / std).unbind(1)
        found = AdapterTraining(tiny_fatformer(), FACTS)(images * 255)  # type: ignore[arg-type]
    assert torch.allclose(found, fake - real, atol=1e-4)


def test_index_0_shows_the_middle_and_later_ones_move_and_mirror(dataset: Path) -> None:
    row: Row = next(row for row in read_rows(dataset) if row.split == "train")
    view = squashed_crops(256, 224)
    shown = [np.asarray(view(row, index, 0)) for index in range(6)]
    assert {one.shape for one in shown} == {(224, 224, 3)}
    assert np.array_equal(shown[0], view(row, 0, 0))
    assert len({one.tobytes() for one in shown}) == 6


def test_without_weights_to_start_from_it_says_how_to_get_them(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "none"))
    result = CliRunner().invoke(app, ["fatformer", "--dataset", str(dataset)])
    assert result.exit_code == 2
    assert "pull fatformer --from FILE" in " ".join(result.output.split())
