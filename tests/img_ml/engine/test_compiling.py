"""Compiled and recorded cores: used where they work, left where they fail, and that is told."""

import logging

import pytest
import torch
from torch import Tensor

from img_ml.engine.compiling import Core, compile_core

CPU = torch.device("cpu")


def double(batch: Tensor) -> Tensor:
    return batch * 2


def test_off_is_the_core_itself() -> None:
    assert compile_core(double, "off", CPU) is double


def test_a_compiled_core_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda core, **_: lambda batch: core(batch) + 1)
    assert compile_core(double, "compile", CPU)(torch.ones(1)) == 3


def test_where_compiling_fails_the_plain_core_answers_and_it_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    def compiled(core: Core, **_: object) -> Core:
        def fail(batch: Tensor) -> Tensor:
            nonlocal tried
            tried += 1
            raise RuntimeError("no compiler\nand a long trace")

        return fail

    monkeypatch.setattr(torch, "compile", compiled)
    core = compile_core(double, "compile", CPU)
    with caplog.at_level(logging.WARNING):
        assert [float(core(torch.ones(1))) for _ in range(3)] == [2, 2, 2]
    assert tried == 1
    assert caplog.messages == ["torch.compile failed, the network runs without it: RuntimeError: no compiler"]


def test_memory_that_runs_out_is_no_failure_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(core: Core, **_: object) -> Core:
        def fail(batch: Tensor) -> Tensor:
            if len(batch) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return core(batch) + 1

        return fail

    monkeypatch.setattr(torch, "compile", compiled)
    core = compile_core(double, "compile", CPU)
    with pytest.raises(torch.OutOfMemoryError):
        core(torch.ones(2))
    assert core(torch.ones(1)) == 3


def test_graphs_need_cuda_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    assert compile_core(double, "graphs", CPU) is double
    assert "CUDA graphs need cuda" in caplog.text


def test_with_graphs_what_was_answered_is_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[object] = []

    def compiled(core: Core, **options: object) -> Core:
        modes.append(options.get("mode"))
        place = torch.empty(1)
        return lambda batch: place.copy_(core(batch))

    monkeypatch.setattr(torch, "compile", compiled)
    core = compile_core(double, "graphs", torch.device("cuda"))
    first, second = core(torch.ones(1)), core(torch.full((1,), 2.0))
    assert (float(first), float(second), modes) == (2, 4, ["reduce-overhead"])
