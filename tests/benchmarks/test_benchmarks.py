"""The cheap benchmarks at sizes that measure nothing: they run, clean up, and leave a result file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import onnx_or_torch
from benchmarks.support.engine import random_weights
from benchmarks.support.engine.device_clock import covered
from benchmarks.support.engine.random_weights import WRITERS
from benchmarks.support.machine import machine_name
from benchmarks.support.processes import BenchmarkError
from benchmarks.support.streams.rates import rate
from benchmarks.support.synthetic_photo import synthetic_photo
from benchmarks.support.usage import members
from forensics.examine import analyzers
from img_ml.weights.lock import read_lock
from img_ml.weights.table import find

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def ran(name: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """The result file of one run; no process of its group is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{name}", "--out", str(folder), *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    said, told = process.communicate(timeout=150)
    assert process.returncode == 0, told
    assert "┃" in said
    content: dict[str, Any] = json.loads((folder / f"{name}-{machine_name()}.json").read_text())
    assert content["machine"]["cores"] == os.cpu_count()
    assert "/" not in json.dumps(content["machine"])
    return content


@pytest.mark.slow
def test_the_stream_benchmark_compares_with_the_plain_loop(tmp_path: Path) -> None:
    found = ran("stream", tmp_path, "--jobs", "500", "--repeat", "1", "--no-peers")
    assert found["settings"]["jobs"] == 500
    assert set(found["jobs_per_second"]) == set(found["settings"]["contestants"])
    assert list(found["ratio_to"]) == ["plain loop"]
    ours = found["ratio_to"]["plain loop"]
    assert set(ours) == set(found["jobs_per_second"]) - {"plain loop"}
    assert all(one["min"] <= one["median"] <= one["max"] for one in ours.values())


@pytest.mark.slow
@LINUX
def test_the_latency_benchmark_tells_worker_engine_and_overhead(tmp_path: Path) -> None:
    found = ran("latency", tmp_path, "--jobs", "2", "--repeat", "1", "--files", "2", "--pixels", "4096")
    assert {"job", "engine", "overhead", "worker: fetch", "worker: total"} <= set(found["ms"])
    assert found["ms"]["job"]["p50"] >= found["ms"]["worker: total"]["p50"] > 0


@pytest.mark.slow
@LINUX
def test_the_gateway_benchmark_tells_overhead_and_ratio(tmp_path: Path) -> None:
    few = ("--images", "20", "--jobs", "2", "--repeat", "1", "--files", "2", "--pixels", "90000", "--profile", "tiny")
    found = ran("gateway", tmp_path, *few)
    assert found["ms"]["gateway"]["p50"] > 0
    assert found["ratio"]["images_per_second"]["median"] > 0


@pytest.mark.slow
@LINUX
def test_the_memory_benchmark_looks_ten_times(tmp_path: Path) -> None:
    found = ran("memory", tmp_path, "--jobs", "40", "--processes", "1", "--files", "2", "--judge", "few")
    assert [look["jobs"] for look in found["looks"]] == [4 * n for n in range(1, 11)]
    assert all(look["resident_mib"] > 10 for look in found["looks"])
    assert found["ratio_last_to_first"] > 0


def test_the_light_cost_benchmark_tells_every_detector_that_can_measure(tmp_path: Path) -> None:
    found = ran("light_cost", tmp_path, "--repeat", "2", "--side", "256")
    parts, detectors = found["parts"], {entry.spec.name for entry in analyzers()}
    assert detectors | {"decode", "whole"} <= set(parts)
    assert parts["whole"]["cpu_min_ms"] > max(parts[name]["cpu_min_ms"] for name in detectors)
    assert all(one["cpu_min_ms"] <= one["cpu_median_ms"] for one in parts.values())
    assert parts["Pillow's decoding"]["ratio_to_pillow"] == 1


def test_a_drawn_photograph_is_the_same_for_the_same_seed() -> None:
    assert synthetic_photo(64) == synthetic_photo(64) != synthetic_photo(64, seed=1)


def test_time_in_which_kernels_overlap_counts_once() -> None:
    assert covered([(5, 6), (0, 2), (1, 3), (1.5, 2.5)]) == 4
    assert covered([]) == 0


@pytest.mark.parametrize(
    # Autoencoders are written whole, 335 MB each.
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in ("aekl", "aeroblade") else name for name in WRITERS],
)
def test_random_weights_of_full_size_have_the_files_of_their_record(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = random_weights.write_tensors
    monkeypatch.setattr(random_weights, "random_tensors", lambda network: {"one": torch.zeros(1)})

    def noted(weights: Path, record: str, network: torch.nn.Module, texts: dict[str, object]) -> None:
        assert all(value.is_meta or value.numel() < 1 << 22 for value in network.state_dict().values())
        write(weights, record, network, texts)

    monkeypatch.setattr(random_weights, "write_tensors", noted)
    with TemporaryDirectory() as folder:
        WRITERS[name](Path(folder))
        written = read_lock(Path(folder))
        assert written
        for record in written:
            assert all((Path(folder) / record / file.name).is_file() for file in find(record).files)


def test_a_rate_is_that_of_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, clock = iter([0, 10, 50, 90, 100]), iter(range(100))
    monkeypatch.setattr("benchmarks.support.streams.rates.time.perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr("benchmarks.support.streams.rates.time.sleep", lambda _: None)
    assert rate(lambda: next(counts), 100, ()) == pytest.approx(80 / 2)


def test_results_that_do_not_come_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.support.streams.rates._STALLED_S", 0.01)
    with pytest.raises(BenchmarkError, match="0 of 5"):
        rate(lambda: 0, 5, ())


@LINUX
def test_processes_of_a_group_are_counted() -> None:
    assert members(os.getpgid(0)) >= 1


def test_both_ways_of_running_the_light_network_are_timed() -> None:
    told = CliRunner().invoke(onnx_or_torch.app, ["--repeat", "1"])
    assert told.exit_code == 0, told.output
    assert {line.split()[1] for line in told.stdout.splitlines() if line.startswith("│")} == {"ONNX", "torch"}


@pytest.mark.slow
@LINUX
def test_the_soak_accounts_for_every_job(tmp_path: Path) -> None:
    found = ran("soak", tmp_path, "--jobs", "200", "--share", "0.02", "--kill-every", "60", "--deadly", "1")
    assert found["problems"] == []
    assert not any(found["left_in_redis"].values())
    assert sum(sum(ends.values()) for ends in found["outcomes"].values()) == 200
    assert found["outcomes"]["good"] == {"done": found["outcomes"]["good"]["done"]}
    assert found["deaths_of_workers"] >= 1
