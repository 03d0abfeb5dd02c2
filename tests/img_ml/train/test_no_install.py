"""--no-install: every training that would install its result leaves it in a weights folder of its own instead."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from forensics.registry import Setup
from img_ml.detectors.saturation_cnn import load
from img_ml.train.__main__ import app
from img_ml.train.commands.shared import ASIDE
from img_ml.train.spai.command import app as spai

# It makes autoencoders for scripts.make_reconstructions, in a folder that is named; none is a detector's.
INSTALLS_NOTHING = {"upsampling_autoencoder"}


def test_every_training_command_has_it() -> None:
    group = typer.main.get_command(app)
    commands = {name: command for name, command in group.commands.items() if name not in {*INSTALLS_NOTHING, "siglip2"}}
    commands["siglip2 train"] = group.commands["siglip2"].commands["train"]
    commands["spai train"] = typer.main.get_command(spai).commands["train"]
    assert len(commands) > 10
    for name, command in commands.items():
        assert any({"--no-install", "--no_install"} & set(option.secondary_opts) for option in command.params), name


def test_the_result_lies_aside_and_can_be_used_from_there(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    options = ["--dataset", str(dataset), "--steps", "1", "--batch", "2", "--side", "64", "--threads", "1"]
    result = CliRunner().invoke(app, ["saturation_cnn", *options, "--no-install"])
    assert result.exit_code == 0, result.output
    assert f"Wrote saturation_cnn to {ASIDE}, not installed" in result.output
    assert not (tmp_path / "weights").exists()
    load(Setup(tmp_path / ASIDE))
