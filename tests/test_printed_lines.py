"""Every command line that the five documents print: it runs on tiny data, or one sentence names the one to type."""

import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from img_ml.data.dataset import read_rows
from img_ml.networks.spai.network import Spai
from img_ml.profiles import Profile
from img_ml.train.embeddings.folder import Embeddings, Origin, write_embeddings
from img_ml.train.spai.config import load
from img_ml.train.spai.pretraining import MaskedFrequencyModel
from scripts.make_dataset_csv import app as make_dataset_csv
from tests.fusion.conftest import photo_like
from tests.img_ml.tiny import TINY
from tests.img_ml.train.spai.conftest import SETTINGS, picture

ROOT = Path(__file__).parents[1]
NAMES = ROOT / "examples" / "coming_from"
PAGE = ROOT / "docs" / "coming_from.md"
PRINTED = tomllib.loads((ROOT / "tests" / "fixtures" / "printed_lines.toml").read_text(encoding="utf-8"))
# Lines are typed in this process, where the module may be loaded already.
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
MODELS = ("ai_art_resnet", "resnet_ft", "resnet_hf", "aekl_clf")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder of names, with what each document has its reader put there, tiny."""
    folder = tmp_path_factory.mktemp("home") / "work"
    shutil.copytree(NAMES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "img_ml_verify.py", folder)
    shutil.copy(ROOT / "local_test.py", folder)
    shutil.copy(ROOT / "spai.py", folder)
    for name in MODELS:
        TINY[name](folder / "weights")
    _photographs(folder)
    _spai(folder)
    _embeddings(folder / "data" / "embeddings")
    return folder


def _photographs(folder: Path) -> None:
    for label, kind in enumerate(("real", "ai_generated")):
        place = folder / "data" / kind
        place.mkdir(parents=True)
        photo_like(label, smooth=label == 1).save(place / "1.png")
        photo_like(label, smooth=label == 1).save(folder / "data" / f"{label}.png")
        for source in "abcdef":
            place = folder / "photographs" / kind / f"camera_{source}"
            place.mkdir(parents=True)
            for number in range(6):
                seed = 1000 * label + 10 * ord(source) + number
                photo_like(seed, smooth=label == 1).save(place / f"{number}.png")

    _list(folder / "photographs", folder / "photographs" / "dataset.csv")


def _list(tree: Path, out: Path, *options: str) -> None:
    made = CliRunner().invoke(make_dataset_csv, [str(tree), "--out", str(out), *options])
    assert made.exit_code == 0, made.output


def _spai(folder: Path) -> None:
    """The tree of SPAI's document, a random backbone and a random checkpoint."""
    for generator in ("imagenet_ai_0419_biggan", "imagenet_glide"):
        for split in ("train", "val"):
            for label, kind in enumerate(("nature", "ai")):
                place = folder / "dataset" / "mini_gen" / generator / split / kind
                place.mkdir(parents=True)
                for number in range(2):
                    seed = 100 * number + 10 * label + len(generator) + len(split)
                    picture(seed, smooth=label == 1).save(place / f"{generator}-{number}.png")
    tree, out = folder / "dataset" / "mini_gen", folder / "dataset" / "my_dataset.csv"
    _list(tree, out, "--test", "0")
    (folder / "configs").mkdir()
    (folder / "configs" / "spai.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    config = load(str(folder / "configs" / "spai.yaml"), [])
    backbone = MaskedFrequencyModel(config.sizes.vit, 5, config.MODEL.FREQ_LOSS)
    torch.save({"model": backbone.state_dict()}, folder / "weights" / "mfm_pretrain_vit_base.pth")
    network = Spai(config.sizes, config.MODEL.SID_DROPOUT)
    place = folder / "output" / "train" / "finetune" / "tiny"
    place.mkdir(parents=True)
    torch.save({"model": network.state_dict()}, place / "ckpt_epoch_1.pth")


def _embeddings(folder: Path) -> None:
    """Embeddings of twenty images of two classes, in the place where `extract_embeddings` writes them."""
    labels = np.arange(20) % 2
    values = np.random.default_rng(0).normal(0, 1, (20, 8)).astype(np.float32) + labels[:, None]
    names = np.array([f"{row}.png" for row in range(20)])
    write_embeddings(folder, Embeddings(values, labels, names, np.full(20, "train"), names, Origin()))


@pytest.fixture
def at_home(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The workspace as the current folder, at the head of sys.path as `python` has it."""
    monkeypatch.chdir(workspace)
    monkeypatch.syspath_prepend(str(workspace))
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(workspace / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    yield workspace
    for name in [name for name in sys.modules if name.split(".")[0] in ("utils", "models", "operators", "spai")]:
        del sys.modules[name]


def typed(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a line, run in this process where it is Python: starting one takes longer than the work."""
    words = shlex.split(re.sub(r"\\\n\s*", " ", line).replace(".\\", "./"))
    while re.match(r"[A-Z_]+=", words[0]):
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    program, *arguments = words
    if program != "python":
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        sys.stderr.write(done.stderr)
        return done.returncode
    try:
        if arguments[0] == "-c":
            exec(arguments[1], {"__name__": "__main__"})
        elif arguments[0] == "-m":
            monkeypatch.setattr(sys, "argv", arguments[1:])
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            monkeypatch.setattr(sys, "argv", arguments)
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("line", PRINTED["line"], ids=lambda line: " ".join(line["printed"].split())[:60])
def test_a_printed_line_runs_or_names_the_one_to_type(
    line: dict[str, str], at_home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(at_home / line.get("here", "."))
    if "fusion" in line["printed"]:
        # Images are measured first: by two analyzers here, where the light profile has nine detectors.
        few = Profile("light", ("noise", "statistics"), Path())
        monkeypatch.setattr("img_ml.profiles.load_profile", lambda *_: few)
    code = typed(line["printed"], monkeypatch)
    told = " ".join(capfd.readouterr().err.split())
    assert code == (2 if "told" in line else 0), told
    assert line.get("told", line.get("says", "")) in told
    assert "Traceback" not in told


def test_the_datasets_name_keeps_train_and_val_as_the_folders_have_them(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPAI's document trains on all of train: nothing becomes test."""
    typed("python create_my_dataset_csv.py", monkeypatch)
    rows = read_rows(at_home / "dataset" / "my_dataset.csv")
    assert len(rows) == 16
    assert all(row.split in row.path.parts for row in rows)


def test_every_document_stands_on_the_page_and_every_name_in_the_folder_is_printed() -> None:
    """A name that no document prints would be clutter, and one that the page does not list would not be found."""
    page, lines = PAGE.read_text(encoding="utf-8").lower(), " ".join(line["printed"] for line in PRINTED["line"])
    for document in {line["document"] for line in PRINTED["line"]}:
        assert f"## {document}".lower() in page, document
    for path in (path for path in NAMES.rglob("*") if path.suffix in (".py", ".sh")):
        name = path.relative_to(NAMES).with_suffix("").as_posix()
        assert any(
            way in lines for way in (path.name, f"-m {name.replace('/', '.')}", f"from {name.replace('/', '.')}")
        ), name


def test_what_the_documents_install_is_there_by_the_same_name() -> None:
    lines = [line for group in PRINTED["environment"] for line in group["printed"]]
    assert all((ROOT / name).is_file() for line in lines for name in re.findall(r"-r (\S+)", line))
