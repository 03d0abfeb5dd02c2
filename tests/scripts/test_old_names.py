"""The names that the users of the five documents know: they answer, or the page tells the one to type."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from img_ml.ensemble import APPS
from img_ml.train.spai.config import load
from img_ml.utils.device import get_device

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "coming_from.md"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("img_ml_verify.py", "--help"), "IMAGE-OR-URL"),
        (("-m", "scripts.predict_ensemble", "--help"), "--votes"),
        (("-m", "img_ml.train_image_aigc_detector", "--help"), "hard_mining"),
        (("-m", "scripts.create_dataset_csv", "--help"), "--out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_old_name_answers(command: tuple[str, ...], told: str) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout


def test_the_device_is_known_by_its_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    assert get_device() == "cpu"


def test_the_contests_apps_and_the_authors_settings_are_known() -> None:
    assert {"resnet", "resnet_ft", "resnet_hf", "aekl_clf"} <= APPS.keys()
    assert load("./configs/spai.yaml", []) == load("spai", [])


def test_the_page_names_modules_that_exist() -> None:
    lines = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {module for line in lines for module in re.findall(r"python -m ([a-z_.]+)", line[2])}
    assert named
    for module in named:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
