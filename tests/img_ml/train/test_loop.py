"""The shared training loop: it goes on after an interruption to the same result, and ends when nothing gets better."""

import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from rich.console import Console

from img_ml.data.dataset import DatasetError, read_rows
from img_ml.train.examples import Division, divide
from img_ml.train.loop import Loop, Trained
from img_ml.train.plan import Plan

PLAN = Plan(steps=9, batch=4, learning_rate=0.01, check_every=2, patience=9, seed=1)
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


def trained(division: Division, checkpoint: Path, plan: Plan = PLAN) -> Trained:
    torch.manual_seed(plan.seed)
    return Loop(Network(), plan, "cpu", TALK).train("small", division, checkpoint, 1)


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
    with pytest.raises(DatasetError, match="is no checkpoint"):
        trained(division, checkpoint)
    checkpoint.unlink()
    trained(division, checkpoint, Plan(steps=1, batch=2, check_every=1))
    with pytest.raises(DatasetError, match="other images or settings"):
        trained(division, checkpoint)


def test_training_ends_when_nothing_gets_better(division: Division, tmp_path: Path) -> None:
    plan = Plan(steps=100, batch=2, check_every=2, patience=2)
    done = Loop(Constant(), plan, "cpu", TALK).train("constant", division, tmp_path / "kept", 1)
    assert done.progress.best_auc == 0.5
    assert done.progress.best_step == 2
    assert done.progress.step == 6


def test_a_training_that_diverged_says_so(division: Division, tmp_path: Path) -> None:
    plan = Plan(steps=2, batch=2, check_every=1)
    with pytest.raises(DatasetError, match="lower --learning-rate"):
        Loop(Constant(float("nan")), plan, "cpu", TALK).train("nan", division, tmp_path / "kept", 1)


def test_the_learning_rate_rises_and_falls() -> None:
    plan = Plan(steps=100, warmup=0.1, learning_rate=2)
    rates = [plan.learning_rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == rates[10] == 2
    assert all(before > after for before, after in pairwise(rates[10:]))
    assert rates[-1] < 0.001
