"""Every command that decodes strangers' files does it in the sandbox: none costs more than the worker's limits."""

import io
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

import local_test
from forensics.sandbox.sandbox import Sandbox, SandboxRules
from fusion.evaluation.gallery import _picture
from fusion.training.cache import FeatureCache
from fusion.training.extract import extract
from img_ml.data.dataset import Row
from img_ml.data.views import AS_IT_IS
from img_ml.engine.engine import Engine
from img_ml.profiles import Profile
from scripts.dataset.gather.cropping import Cropping
from scripts.dataset.gather.gathering import gather
from scripts.dataset.gather.sources import SourceRow
from scripts.dataset.inventory import Unreadable, take_inventory
from scripts.predict import app as predict
from tests.img_ml.tiny import TINY

LIMIT = "longer than 0.3 s"


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture of 60 million pixels, where 0.3 s is allowed."""
    monkeypatch.setenv("WORKER_DECODE_TIMEOUT_S", "0.3")
    path = tmp_path / "slow" / "1.png"
    path.parent.mkdir()
    Image.new("RGB", (7500, 8000), "teal").save(path, compress_level=1)
    return path


def test_check(slow):
    result = CliRunner().invoke(local_test.app, ["--json", "--profile", "tiny", str(slow)])
    assert LIMIT in json.loads(result.stdout)["error"]["message"]


def test_the_dataset_commands(slow):
    (found,) = take_inventory([slow]).values()
    assert isinstance(found, Unreadable)
    assert LIMIT in found.problem


def test_gather(slow, tmp_path):
    clone = slow.parent
    for command in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a")):
        subprocess.run(("git", *command), cwd=clone, check=True)
    commit = subprocess.run(("git", "rev-parse", "HEAD"), cwd=clone, check=True, capture_output=True, text=True).stdout
    row = SourceRow("a/b", "real", re.compile("1.png"), "", "MIT")
    with Sandbox(SandboxRules(timeout_s=0.3)) as sandbox:
        gathered = gather(clone / ".git", commit.strip(), [row], 10, Cropping(), tmp_path / "crops", sandbox)
    assert gathered.rows[0].skipped == {"unreadable": 1}


def test_predict(slow, tmp_path, monkeypatch):
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    TINY["resnet_ft"](tmp_path)
    result = CliRunner().invoke(predict, [str(slow.parent), "--app", "resnet_ft", "--out", str(tmp_path / "out.txt")])
    assert result.exit_code == 3
    assert LIMIT in result.stderr
    assert (tmp_path / "out.txt").read_text() == "-1\n"


def test_training_and_evaluating_the_fusion(slow, tmp_path, capsys):
    small = tmp_path / "small.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(small)
    rows = [Row(path, 0, "train", "a", "real", "") for path in (small, slow)]
    engine = Engine(Profile("test", ("statistics",), Path()), Path(), "cpu")
    table = extract(
        rows, engine, FeatureCache(tmp_path / "features"), lambda row, key: [AS_IT_IS], Console(stderr=True)
    )
    assert len(table) == 1
    assert "1 images could not be decoded" in capsys.readouterr().err


def test_the_pictures_of_a_report(slow):
    with Sandbox(SandboxRules(timeout_s=0.3)) as sandbox:
        assert _picture(slow, sandbox) == ""


def test_many_scans_cost_less_than_one_picture(tmp_path, monkeypatch):
    """2,000 scans over 16 million pixels took over half a minute."""
    file = io.BytesIO()
    Image.new("RGB", (4000, 4000), "teal").save(file, "JPEG", progressive=True)
    data = file.getvalue()
    first = data.rindex(b"\xff\xda")
    bomb = tmp_path / "bomb.jpg"
    bomb.write_bytes(data[:first] + data[first:-2] * 2000 + data[-2:])
    (found,) = take_inventory([bomb]).values()
    assert "scans" in found.problem
