"""The weights folder: what is there is checked before it is used, and told in a sentence where it is wrong."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from forensics.errors import WeightsError
from forensics.registry import TIERS, Setup
from img_ml.weights import store
from img_ml.weights.__main__ import app, told_size
from img_ml.weights.store import install, installed, installed_for, state_of
from img_ml.weights.table import find, needed, records
from tests.img_ml.tiny import write_clip_b16, write_crop_network, write_dino

DINO = find("dinov2-base")
MODEL = Path("dinov2-base") / "model.safetensors"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(folder))
    write_dino(folder)
    return folder


def states() -> dict[str, str]:
    listed = CliRunner().invoke(app, ["list", "--json"])
    assert listed.exit_code == 0
    return {one["name"]: one["state"] for one in json.loads(listed.stdout)}


def test_what_was_pulled_is_present_and_the_rest_missing(weights: Path) -> None:
    here = {DINO.name: "present", "crop_network": "packaged", "clip_b16": "packaged"}
    assert states() == {record.name: here.get(record.name, "missing") for record in records()}
    assert len(installed(DINO, weights).digest) == 64


def test_weights_that_are_missing_are_told_with_the_command_that_gets_them(weights: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"dinov2-large is not installed: python -m img_ml\.weights pull dinov2-large$"
    ):
        installed(find("dinov2-large"), weights)
    with pytest.raises(WeightsError, match=r"pull fatformer --from FILE$"):
        installed(find("fatformer"), weights)


def test_a_changed_byte_is_found_before_the_file_is_used(weights: Path) -> None:
    data = bytearray((weights / MODEL).read_bytes())
    data[-1] ^= 1
    (weights / MODEL).write_bytes(data)
    with pytest.raises(WeightsError, match=r"model.safetensors was changed since it was pulled: python -m"):
        installed(DINO, weights)
    verified = CliRunner().invoke(app, ["verify"])
    assert verified.exit_code == 1
    assert "dinov2-base/model.safetensors was changed." in verified.output


def test_a_file_of_another_size_is_listed_as_changed(weights: Path) -> None:
    with (weights / MODEL).open("ab") as file:
        file.write(b"x")
    assert states()["dinov2-base"] == "changed"


def test_a_lost_file_is_found(weights: Path) -> None:
    (weights / MODEL).unlink()
    assert state_of(DINO, weights) == "missing"
    assert CliRunner().invoke(app, ["verify", "dinov2-base"]).exit_code == 1


def test_verify_knows_what_is_not_installed_from_what_does_not_exist(weights: Path) -> None:
    assert CliRunner().invoke(app, ["verify", "mantranet"]).exit_code == 1
    unknown = CliRunner().invoke(app, ["verify", "mantranets"])
    assert unknown.exit_code == 2
    assert "Did you mean 'mantranet'?" in unknown.output


def test_a_lock_file_that_cannot_be_read_is_told(weights: Path) -> None:
    (weights / "weights.lock.json").write_text('{"version": 7}')
    with pytest.raises(WeightsError, match=r"weights.lock.json cannot be read: its version is 7"):
        installed(DINO, weights)


def test_the_same_revision_may_not_change(weights: Path) -> None:
    def fill(text: str) -> object:
        def write(folder: Path) -> str:
            for file in DINO.files:
                (folder / file.name).write_text(text)
            return "c0ffee"

        return write

    unpublished = replace(DINO, files=tuple(replace(file, sha256="") for file in DINO.files))
    install(unpublished, weights, DINO.repository, fill("one"))
    with pytest.raises(WeightsError, match="not what the lock file lists for the same revision"):
        install(unpublished, weights, DINO.repository, fill("two"))
    assert (weights / MODEL).read_text() == "one"
    assert installed(DINO, weights)


def test_what_a_killed_process_left_is_cleared_and_its_good_copy_comes_back(weights: Path) -> None:
    def fill(folder: Path) -> str:
        assert installed(DINO, weights)  # back before anything new is made
        raise WeightsError("no more of it")

    stage, aside = (Path(tempfile.mkdtemp(prefix=f".dinov2-base-{part}", dir=weights)) for part in ("", "old-"))
    other = Path(tempfile.mkdtemp(prefix=".dinov2-base-more-", dir=weights))
    (stage / MODEL.name).write_text("half of it")
    (weights / "dinov2-base").rename(aside / "dinov2-base")
    with pytest.raises(WeightsError, match="no more of it"):
        install(DINO, weights, "other", fill)
    assert {path.name for path in weights.iterdir()} == {".lock", "dinov2-base", "weights.lock.json", other.name}


def test_waiting_for_another_process_is_said(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fill(folder: Path) -> str:
        raise WeightsError("no more of it")

    held = FileLock(weights / ".lock")
    held.acquire()
    # FileLock counts for each thread by itself, so this one stands for another process.
    waiting = threading.Thread(target=lambda: install_refused(weights, fill))
    waiting.start()
    while not caplog.messages:
        time.sleep(0.01)
    held.release()
    waiting.join(timeout=30)
    assert not waiting.is_alive()
    assert caplog.messages == [f"Waiting for another process that writes to {weights}."]


def install_refused(weights: Path, fill: Callable[[Path], str]) -> None:
    with pytest.raises(WeightsError):
        install(DINO, weights, "other", fill)


def test_where_the_new_files_cannot_come_into_their_place_the_old_ones_stay(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(folder: Path) -> str:
        for file in DINO.files:
            (folder / file.name).write_text("new")
        return ""

    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if (self / MODEL.name).is_file() and (self / MODEL.name).read_bytes() == b"new":
            raise PermissionError(13, "Permission denied", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        install(DINO, weights, "other", fill)
    assert installed(DINO, weights)
    assert {path.name for path in weights.iterdir()} == {".lock", "dinov2-base", "weights.lock.json"}


def test_a_profile_takes_the_largest_weights_that_it_holds() -> None:
    names = {tier: [record.name for record in needed("dino", tier)] for tier in TIERS}
    assert names == {"light": [], "standard": ["dinov2-base"], "full": ["dinov2-large"]}


def test_a_profile_may_choose_others(weights: Path) -> None:
    (chosen,) = installed_for("dino", Setup(weights, tier="full", options={"weights": "dinov2-base"}))
    assert chosen.record is DINO
    with pytest.raises(WeightsError, match="fatformer are not weights of dino"):
        installed_for("dino", Setup(weights, options={"weights": "fatformer"}))


def test_pull_says_of_what_is_packaged_that_it_is_here(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_crop_network(tmp_path / "packaged")
    write_clip_b16(tmp_path / "packaged")
    monkeypatch.setattr(store, "PACKAGED", tmp_path / "packaged")
    pulled = CliRunner().invoke(app, ["pull", "light"])
    assert (pulled.exit_code, pulled.output) == (0, "clip_b16 is here already.\ncrop_network is here already.\n")


def test_pull_takes_a_profile_of_ones_own(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('detectors = ["dino", "ela"]\ntier = "standard"\n')
    pulled = CliRunner().invoke(app, ["pull", str(path)])
    assert pulled.exit_code == 0
    assert "dinov2-base is here already." in pulled.output


def test_every_record_says_what_a_user_needs() -> None:
    assert len({record.name for record in records()}) == len(records())
    for record in records():
        assert record.licence
        assert "https://" in record.where or (record.origin == "trained" and "images of your own" in record.where)
        assert record.size > 0
        assert bool(record.repository) == (record.origin == "hub")
        assert any(file.name.endswith((".safetensors", ".onnx")) for file in record.files)


@pytest.mark.parametrize(
    ("size", "told"), [(0, "unknown"), (500, "1 kB"), (346_345_912, "346 MB"), (10_158_400_000, "10.2 GB")]
)
def test_sizes_are_told_for_people(size: int, told: str) -> None:
    assert told_size(size) == told


def test_neither_the_table_nor_the_light_profile_loads_torch() -> None:
    code = (
        "import sys\n"
        "import fusion.judge, img_ml.weights.__main__\n"
        "from img_ml.engine.engine import Engine\n"
        "from img_ml.profiles import load_profile\n"
        "from pathlib import Path\n"
        "engine = Engine(load_profile('light', Path('m')), Path('w'))\n"
        "assert engine.analyzers and not set(engine.missing) - {'crop_network', 'clip_b16'}, engine.missing\n"
        "print([m for m in ('torch', 'transformers', 'open_clip', 'timm') if m in sys.modules])\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"
