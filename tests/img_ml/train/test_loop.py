"""The shared training loop: it goes on after an interruption to the same result, and ends when nothing gets better."""

import io
import os
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.metrics import roc_auc_score

from forensics.errors import TrainingError
from forensics.types import Pixels
from img_ml.data.dataset import Row, read_rows
from img_ml.train.classifying import train_classifier
from img_ml.train.examples import NATIVE_CROPS, Division, Examples, divide
from img_ml.train.loop import Loop, Trained
from img_ml.train.plan import TrainingPlan

PLAN = TrainingPlan(steps=9, batch=4, learning_rate=0.01, check_every=2, patience=9, seed=1)
TALK = Console(quiet=True)


class Network(torch.nn.Module):
    """All that a checkpoint must keep: weights, running statistics, and dropout that follows from the step."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, stride=4),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.3),
            torch.nn.Conv2d(4, 1, 3, stride=4),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images / 255).mean(dim=(1, 2, 3))


class Constant(torch.nn.Module):
    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.full((1,), value))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.bias.expand(len(images))


@pytest.fixture(scope="module")
def division(dataset: Path) -> Division:
    return divide(read_rows(dataset), 0)


def trained(division: Division, checkpoint: Path, plan: TrainingPlan = PLAN) -> Trained:
    torch.manual_seed(plan.seed)
    return train_classifier(Network(), plan, "cpu", TALK, "small", division, checkpoint, 1)


@pytest.mark.parametrize("stop_in", [0, 3, 6])
def test_an_interrupted_training_goes_on_to_the_same_result(
    division: Division, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_in: int
) -> None:
    whole = trained(division, tmp_path / "whole.safetensors")
    step = Loop._step
    begun: list[int] = []

    def noted(self: Loop, number: int, batch: object) -> torch.Tensor:
        if number == stop_in and len(begun) == stop_in:
            os.kill(os.getpid(), signal.SIGINT)
        begun.append(number)
        return step(self, number, batch)

    monkeypatch.setattr(Loop, "_step", noted)
    with pytest.raises(KeyboardInterrupt):
        trained(division, tmp_path / "parts.safetensors")
    resumed = trained(division, tmp_path / "parts.safetensors")
    assert begun == list(range(9))
    assert resumed.progress == whole.progress
    for name, value in whole.state.items():
        assert torch.equal(value, resumed.state[name]), name


def test_a_checkpoint_of_another_training_is_refused(division: Division, tmp_path: Path) -> None:
    checkpoint = tmp_path / "kept.safetensors"
    checkpoint.write_bytes(b"something else")
    with pytest.raises(TrainingError, match="is not a checkpoint"):
        trained(division, checkpoint)
    checkpoint.unlink()
    trained(division, checkpoint, TrainingPlan(steps=1, batch=2, check_every=1))
    with pytest.raises(TrainingError, match="other images or settings"):
        trained(division, checkpoint)


def test_training_ends_when_nothing_gets_better(division: Division, tmp_path: Path) -> None:
    plan = TrainingPlan(steps=100, batch=2, check_every=2, patience=2)
    done = train_classifier(Constant(), plan, "cpu", TALK, "constant", division, tmp_path / "kept", 1)
    assert done.progress.best_auc == 0.5
    assert done.progress.best_step == 2
    assert done.progress.step == 6


def test_a_training_that_diverged_says_so(division: Division, tmp_path: Path) -> None:
    plan = TrainingPlan(steps=2, batch=2, check_every=1)
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        train_classifier(Constant(float("nan")), plan, "cpu", TALK, "nan", division, tmp_path / "kept", 1)


def test_the_learning_rate_rises_and_falls() -> None:
    plan = TrainingPlan(steps=100, warmup=0.1, learning_rate=2)
    rates = [plan.learning_rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == rates[10] == 2
    assert all(before > after for before, after in pairwise(rates[10:]))
    assert rates[-1] < 0.001


class Noting(Network):
    """Notes at each call whether it was training, and how many images it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[bool, int]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls.append((self.training, len(images)))
        return super().forward(images)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_held_out_images_are_scored_as_a_detector_scores_them(
    division: Division, tmp_path: Path, average: float
) -> None:
    plan = replace(PLAN, steps=4, average=average)
    network = Noting()
    done = train_classifier(network, plan, "cpu", TALK, "noting", division, tmp_path / "kept", 1)
    assert [length for training, length in network.calls if training] == [4] * 4
    if not average:
        scored = sum(length for training, length in network.calls if not training)
        assert scored == 2 * len(division.validation)
    detector = Network()
    detector.load_state_dict(done.state)
    with torch.no_grad(), Examples(division.training, plan.seed, 1, NATIVE_CROPS) as examples:
        held_out = examples.fixed(division.validation)
        scores = detector.eval()(torch.from_numpy(held_out.pixels).permute(0, 3, 1, 2).float())
    assert roc_auc_score(held_out.labels, scores) == pytest.approx(done.progress.best_auc)


def plain(row: Row, index: int, seed: int) -> Pixels:
    """A white picture for AI, a black one for real."""
    return np.full((8, 8, 3), 255 * row.label, dtype=np.uint8)


class Scale(torch.nn.Module):
    """The brightness, between -1 and 1, times its only weight; a bias and a matrix that no loss moves."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.bias = torch.nn.Parameter(torch.ones(1))
        self.matrix = torch.nn.Parameter(torch.ones(2, 2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        still = 0 * (self.bias.sum() + self.matrix.sum())
        return self.weight * (images.mean(dim=(1, 2, 3)) / 127.5 - 1) + still


@pytest.mark.parametrize(("smoothing", "logit"), [(0.1, 2.197), (0.3, 0.847)])
def test_smoothed_labels_keep_a_network_from_being_surer_than_they_are(
    division: Division, tmp_path: Path, smoothing: float, logit: float
) -> None:
    plan = TrainingPlan(steps=120, batch=4, learning_rate=0.1, check_every=120, smoothing=smoothing)
    network = Scale()
    train_classifier(network, plan, "cpu", TALK, "scale", division, tmp_path / "kept", 1, plain)
    assert network.weight.item() == pytest.approx(logit, abs=0.1)


def test_without_smoothing_the_labels_are_taken_as_they_are(division: Division, tmp_path: Path) -> None:
    network = Scale()
    plan = TrainingPlan(steps=120, batch=4, learning_rate=0.1, check_every=120)
    train_classifier(network, plan, "cpu", TALK, "scale", division, tmp_path / "kept", 1, plain)
    assert network.weight.item() > 2.6


def test_matrices_decay_and_biases_do_not(division: Division, tmp_path: Path) -> None:
    network = Scale()
    plan = TrainingPlan(steps=20, batch=2, learning_rate=0.1, weight_decay=0.5, check_every=20)
    train_classifier(network, plan, "cpu", TALK, "scale", division, tmp_path / "kept", 1, plain)
    assert network.bias.item() == 1.0
    assert (network.matrix < 0.9).all()


class Normalised(torch.nn.Module):
    """A normalisation alone: what it counts of the images are buffers, no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(images).mean(dim=(1, 2, 3))


def test_the_running_mean_follows_weights_and_buffers(division: Division, tmp_path: Path) -> None:
    plan = TrainingPlan(steps=24, batch=2, learning_rate=0.05, check_every=24, average=0.5)
    network = Normalised()
    done = train_classifier(network, plan, "cpu", TALK, "normalised", division, tmp_path / "kept", 1)
    assert done.state["norm.num_batches_tracked"] == 24
    for name in ("norm.running_mean", "norm.running_var", "norm.weight", "norm.bias"):
        kept, last = done.state[name], network.state_dict()[name]
        assert not torch.equal(kept, last)
        assert torch.allclose(kept, last, rtol=0.2, atol=0.2), name


def test_what_is_kept_is_the_state_of_the_best_check(division: Division, tmp_path: Path) -> None:
    done = trained(division, tmp_path / "kept", replace(PLAN, steps=12))
    best = max(done.progress.checks, key=lambda check: check["auc"])
    assert (done.progress.best_auc, done.progress.best_step) == (best["auc"], best["step"])
    again = trained(division, tmp_path / "again", replace(PLAN, steps=12))
    assert all(torch.equal(value, again.state[name]) for name, value in done.state.items())


def test_the_watched_images_are_as_many_as_the_plan_says_and_of_both_classes(
    division: Division, tmp_path: Path
) -> None:
    network = Noting()
    plan = TrainingPlan(steps=1, batch=2, check_every=1, max_validation=4)
    done = train_classifier(network, plan, "cpu", TALK, "noting", division, tmp_path / "kept", 1)
    assert sum(length for training, length in network.calls if not training) == 4
    assert done.progress.best_auc >= 0


def test_a_loss_is_told_as_the_mean_since_the_last_check(division: Division, tmp_path: Path) -> None:
    told = Console(file=io.StringIO(), width=200)
    plan = TrainingPlan(steps=4, batch=2, learning_rate=1e-9, check_every=2)
    train_classifier(Constant(0.0), plan, "cpu", told, "constant", division, tmp_path / "kept", 1)
    lines = told.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines == [f"Step {step}: loss 0.6931, AUC 0.500 on held-out sources" for step in (2, 4)]
