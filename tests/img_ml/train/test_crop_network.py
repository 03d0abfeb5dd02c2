"""Training the detector `crop_network`: from several datasets to members in one graph, each holding out sources."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from forensics.errors import TrainingError, UsageError
from img_ml.data.dataset import Row
from img_ml.engine.held_out import source_mark
from img_ml.engine.onnx_session import Members, session_of
from img_ml.train.__main__ import app
from img_ml.train.crossfit import members as side_by_side
from img_ml.train.crossfit.onnx_export import MOST_CHANGE, exported
from img_ml.train.crossfit.rows import Fold, folds_of, held_out, read_extra, with_extra
from img_ml.train.crossfit.small_networks import NetworkDesign, network_of
from img_ml.train.examples import Division
from img_ml.train.plan import TrainingPlan
from img_ml.weights.store import installed
from img_ml.weights.table import find

TINY = ["--side", "32", "--batch", "4", "--check-every", "2", "--members", "2"]
SMALL = ["--start", "scratch", "--stages", "1", *TINY]


def row(name: str, label: int, source: str, split: str = "train", **record: str) -> Row:
    return Row(Path(name), label, split, source, "ai" if label else "real", record=record)


def command(dataset: Path, folder: Path, *more: str, size: Sequence[str] = SMALL) -> list[str]:
    places = ["--checkpoint", str(folder / "state"), "--out", str(folder / "weights")]
    return ["crop_network", "--dataset", str(dataset), *size, *places, *more]


def run(arguments: list[str]) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "weights" / "crop_network").iterdir())}


@pytest.fixture(scope="module")
def whole(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(command(dataset, folder, "--steps", "6", "--jobs", "2", "--front", "both"))
    return folder


def test_the_graph_is_what_the_members_are(whole: Path) -> None:
    from safetensors.torch import load_file

    from img_ml.networks.crop_network import CropNetwork

    weights = installed(find("crop_network"), whole / "weights")
    members = Members(session_of(weights.file("crop_network.onnx").read_bytes(), 1))
    states = load_file(whole / "state" / "model.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 70, 93, 3), dtype=np.uint8)
    assert members.count == 2
    for member in range(2):
        network = CropNetwork("both", 1).eval()
        own = {name[2:]: value for name, value in states.items() if name.startswith(f"{member}.")}
        network.load_state_dict(own)
        with torch.no_grad():
            expected = network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
        shown, own = [pixels, pixels[:1]], expected[: 2 - member]
        assert np.allclose(members.logits(shown)[member], own, atol=1e-3)
        assert np.allclose(members.maps(shown)[member].mean(axis=(1, 2)), own, atol=1e-3)


def test_every_source_is_held_out_by_one_member_and_none_is_named(whole: Path) -> None:
    text = (whole / "weights" / "crop_network" / "config.json").read_text(encoding="utf-8")
    facts = json.loads(text)
    assert sorted(facts["held_out"]) == sorted(source_mark(f"s{k}") for k in range(6))
    assert set(facts["held_out"].values()) == {0, 1}
    assert sum(one["sources"] for one in facts["members"]) == 6
    assert '"s1"' not in text


def test_nothing_but_the_tensors_stays_of_a_training_that_is_done(whole: Path) -> None:
    assert [path.name for path in (whole / "state").iterdir()] == ["model.safetensors"]


@pytest.mark.slow
def test_an_interrupted_training_goes_on_to_the_same_weights(dataset: Path, whole: Path, tmp_path: Path) -> None:
    arguments = command(dataset, tmp_path, "--steps", "6", "--jobs", "1", "--front", "both")
    with begun(arguments) as process:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=120)[1]
    assert process.returncode == 3, told
    assert "Traceback" not in told
    assert (tmp_path / "state" / "member0.checkpoint.safetensors").is_file()
    assert "Resuming after step" in run_told(arguments)
    assert files_of(tmp_path) == files_of(whole)


@contextmanager
def begun(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The command, once a member was looked at; killed at the end."""
    command_line = [sys.executable, "-m", "img_ml.train", *arguments]
    with subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            while "Step 2" not in process.stderr.readline():
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def run_told(arguments: list[str]) -> str:
    done = subprocess.run([sys.executable, "-m", "img_ml.train", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_members_end_with_the_process_that_began_them(dataset: Path, tmp_path: Path) -> None:
    arguments = command(dataset, tmp_path, "--steps", "100000", "--jobs", "1", "--patience", "100000")
    with begun(arguments) as process:
        process.kill()
        # The member holds the pipe open for as long as it lives.
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL


def test_a_member_whose_process_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "_train", os._exit)
    monkeypatch.setattr(side_by_side, "MemberJob", lambda *_: 1)
    design, place = NetworkDesign("npr", side=32), side_by_side.CrossfitWorkspace(tmp_path, "cpu", 1, 1)
    with pytest.raises(TrainingError, match="process died"):
        side_by_side.train_members(design, TrainingPlan(), [Fold(Division((), ()), ())], 0.0, tmp_path, place)


@pytest.mark.parametrize("network", ["ladeda", "npr", "tiny_ladeda", "npr_resnet"])
def test_baselines_are_trained_by_the_same_command(dataset: Path, tmp_path: Path, network: str) -> None:
    run(command(dataset, tmp_path, "--steps", "2", "--network", network, size=TINY))
    data = (tmp_path / "weights" / network / f"{network}.onnx").read_bytes()
    members = Members(session_of(data, 1))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 65, 70, 3), dtype=np.uint8)
    assert members.maps([pixels] * 2)[0].mean() == pytest.approx(members.logits([pixels] * 2)[0][0], abs=1e-5)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--front", "grey"], "choose one of rgb, residual, both"),
        (["--network", "vit"], "choose one of crop_network, ladeda, npr, tiny_ladeda, npr_resnet"),
        (["--stages", "8"], "choose 1 to 7"),
        (["--side", "16"], "at least 32"),
        (["--extra", "nowhere.csv"], "There is no nowhere.csv"),
        (["--members", "9"], "at least 9 sources"),
        (["--network", "npr"], "leave them out for npr"),
    ],
)
def test_what_cannot_be_trained_is_told(dataset: Path, tmp_path: Path, more: list[str], told: str) -> None:
    done = CliRunner().invoke(app, command(dataset, tmp_path, *more))
    assert done.exit_code == 2
    assert told in done.output.replace("\n", " ")


def test_a_baseline_needs_a_place_to_lie(dataset: Path) -> None:
    done = CliRunner().invoke(app, ["crop_network", "--dataset", str(dataset), "--network", "npr"])
    assert done.exit_code == 2
    assert "--out" in done.output


def test_a_fold_learns_from_no_image_of_what_it_holds_out() -> None:
    rows = [row(f"{s}{label}{k}", label, f"s{s}") for s in range(6) for label in (0, 1) for k in range(3)]
    rows.append(row("t", 1, "t", "test"))
    extra = [row(f"extra{s}", 1, f"s{s}") for s in range(6)] + [row("extra", 1, "unknown"), row("extra_t", 1, "t")]
    folds = folds_of(rows, extra, 3, 0)
    for member, fold in enumerate(folds):
        division, _ = with_extra(fold, 0.15)
        training = {one.source for one in division.training}
        validation = {one.source for one in division.validation}
        assert not training & validation
        assert training | validation == {f"s{s}" for s in range(6)}
        assert {one.source for one in fold.extra} == training
        assert {source_mark(source) for source in validation} == {m for m, k in held_out(folds).items() if k == member}


def test_extra_images_take_their_share_of_those_by_ai() -> None:
    rows = [row(f"{s}{label}{k}", label, f"s{s}") for s in range(6) for label in (0, 1) for k in range(3)]
    extra = [row(f"extra{s}{k}", 1, f"s{s}") for s in range(6) for k in range(10 * (s + 1))]
    division, weigh = with_extra(folds_of(rows, extra, 3, 0)[0], 0.15)
    weights = weigh(division.training)
    share = weights / weights.sum()
    is_extra = np.array([str(one.path).startswith("extra") for one in division.training])
    ai = np.array([one.label == 1 for one in division.training])
    assert share[ai].sum() == pytest.approx(0.5)
    assert share[is_extra].sum() == pytest.approx(0.075)


def test_extra_images_are_by_ai(tmp_path: Path) -> None:
    listed = tmp_path / "extra.csv"
    listed.write_text("filepath,label,split\na.png,0,train\n", encoding="utf-8")
    with pytest.raises(UsageError, match="label 1 only"):
        read_extra(listed)


def test_extra_images_are_learned_from_and_told_in_the_weights(dataset: Path, tmp_path: Path) -> None:
    listed = tmp_path / "extra.csv"
    rows = [f"{dataset.parent / f'{source}-1-{index}.png'},1,train,s{source}" for source in (1, 2) for index in (0, 1)]
    listed.write_text("\n".join(["filepath,label,split,source", *rows]) + "\n", encoding="utf-8")
    told = run(command(dataset, tmp_path, "--steps", "2", "--extra", str(listed)))
    assert "and 4 of 4 extra ones" in told
    facts = json.loads((tmp_path / "weights" / "crop_network" / "config.json").read_text(encoding="utf-8"))
    # Each source is learned from by the one of two members that does not hold it out.
    assert sum(one["extra_images"] for one in facts["members"]) == 4


def test_extra_images_of_unknown_sources_are_refused(dataset: Path, tmp_path: Path) -> None:
    listed = tmp_path / "extra.csv"
    listed.write_text(f"filepath,label,split,source\n{dataset.parent / '1-1-0.png'},1,train,other\n", encoding="utf-8")
    done = CliRunner().invoke(app, command(dataset, tmp_path, "--extra", str(listed)))
    assert done.exit_code == 2
    assert "would change nothing" in done.output.replace("\n", " ")


def test_a_training_ends_after_its_minutes_with_what_it_has(dataset: Path, tmp_path: Path) -> None:
    told = run(command(dataset, tmp_path, "--steps", "100000", "--patience", "100000", "--minutes", "0.02"))
    assert "Installed" in told
    facts = json.loads((tmp_path / "weights" / "crop_network" / "config.json").read_text(encoding="utf-8"))
    assert all(0 < one["step"] < 1000 for one in facts["members"])


def test_a_member_that_is_large_is_kept_in_half_precision() -> None:
    members = [network_of(NetworkDesign("npr", side=64), seed) for seed in (0, 1)]
    for member in members:
        torch.nn.init.normal_(member.head.weight, std=0.05)
    whole, halved = exported(members, 10**9), exported(members, 10**5)
    assert len(halved) < 0.6 * len(whole)
    pixels = [np.random.default_rng(3).integers(0, 256, (3, 96, 64, 3), dtype=np.uint8)] * 2
    exact, rounded = (np.stack(Members(session_of(data, 1)).logits(pixels)) for data in (whole, halved))
    assert 0 < np.abs(exact - rounded).max() < 4 * MOST_CHANGE
