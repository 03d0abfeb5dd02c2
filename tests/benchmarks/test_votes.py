"""The table of votes: every trained member and the ensemble, the gain over the best one, and the spread of draws."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.votes import app
from tests.img_ml.tiny import TINY
from tests.img_ml.train.conftest import picture


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    lines = ["filepath,label,split,source"]
    for number in range(16):
        label, split = number % 2, "val" if number < 12 else "train"
        picture(number, smooth=label == 1).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{label},{split},s{number % 4}")
    (tmp_path / "dataset.csv").write_text("\n".join(lines))
    return tmp_path / "dataset.csv"


def test_members_and_ensemble_stand_in_one_table(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = dataset.parent / "weights"
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(weights))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    untrained = CliRunner().invoke(app, [str(dataset)])
    assert untrained.exit_code == 2
    assert "No member has been trained" in untrained.stderr
    for name in ("resnet_ft", "resnet_hf"):
        TINY[name](weights)
    path = dataset.parent / "votes.json"
    result = CliRunner().invoke(app, [str(dataset), "--spread-images", "2", "--json", str(path)])
    assert result.exit_code == 0, result.output
    assert "Left out" in result.stderr
    content = json.loads(path.read_text())
    names = {row["name"] for row in content["rows"]}
    assert names == {f"{name}, {n} votes" for name in ("resnet_ft", "resnet_hf", "ensemble") for n in (1, 5, 7)}
    assert {row["images"] for row in content["rows"]} == {12}
    assert set(content["ensemble_minus_best"]) == {"1", "5", "7"}
    spread = {(one["member"], one["votes"]): one["variance"] for one in content["spread"]}
    assert spread["resnet_hf", 7] < spread["resnet_hf", 2]
    assert "of its best member" in result.stdout
