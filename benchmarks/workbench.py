"""The whole road of the workbench, timed: `python -m benchmarks.workbench dataset.csv`.

Cleans, audits, extracts (killed half-way and resumed), trains three kinds, trains once more on the warm cache, and
evaluates all three, each by the command a user types, in a folder of its own that is deleted afterwards. Prints what
each step took and writes the same to benchmarks/results/ (`--out` for another folder).
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.support.result_file import RESULTS, write_result
from img_ml.command import run_command

ROOT = Path(__file__).parent.parent
KINDS = ("xgboost", "logistic", "mlp")
IN_CACHE = re.compile(r"(\d+) are in the cache, (\d+) to measure")

talk = Console(stderr=True, highlight=False)


class Road:
    """Runs the steps in one folder and notes how long each took."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seconds: dict[str, float] = {}

    def step(self, name: str, module: str, *arguments: object, accepted: tuple[int, ...] = (0,)) -> str:
        """Run one command to its end; what it said on stderr."""
        started = time.monotonic()
        process = self._start(module, *arguments)
        said, told = process.communicate()
        self.seconds[name] = time.monotonic() - started
        if process.returncode not in accepted:
            raise SystemExit(f"{name} ended with {process.returncode}:\n{said}{told}")
        talk.print(f"{name}: {self.seconds[name]:.0f} s")
        return told

    def killed(self, name: str, wanted_views: int, module: str, *arguments: object) -> None:
        """Run one command until so many views are in the cache, and kill it and all its processes."""
        started = time.monotonic()
        process = self._start(module, *arguments)
        while self.views_in_cache() < wanted_views and process.poll() is None:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self.seconds[name] = time.monotonic() - started
        talk.print(f"{name}: {self.seconds[name]:.0f} s, {self.views_in_cache()} views kept")

    def views_in_cache(self) -> int:
        """Views that the detector that writes last has on disk."""
        files = (self._folder / "features").glob("statistics-*/*.parquet")
        return sum(pq.read_metadata(file).num_rows for file in files)

    def _start(self, module: str, *arguments: object) -> "subprocess.Popen[str]":
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=self._folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def main(
    dataset: Annotated[Path, typer.Argument(exists=True, dir_okay=False, resolve_path=True)],
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Time the road from a dataset.csv to three evaluated artifacts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        road = Road(folder)
        road.step("clean", "scripts.clean_dataset", dataset, "--out", "dataset.csv", "--report", "cleaning.csv")
        road.step("audit", "scripts.audit_dataset", "dataset.csv", accepted=(0, 1))
        total = _views(folder / "dataset.csv")
        road.killed("extract, killed half-way", total // 2, "scripts.extract_features", "dataset.csv")
        kept = road.views_in_cache()
        told = road.step("extract, resumed", "scripts.extract_features", "dataset.csv")
        found = IN_CACHE.search(told)
        if found is None or int(found[1]) != kept or int(found[1]) + int(found[2]) != total:
            raise SystemExit(f"{kept} of {total} views were kept, but the second run said: {told}")
        for kind in KINDS:
            road.step(f"train {kind}", "fusion.train_fusion", "--model", kind, "--out", kind)
        road.step("train xgboost again, warm cache", "fusion.train_fusion", "--out", "again")
        same = (folder / "again" / "fusion.ubj").read_bytes() == (folder / "xgboost" / "fusion.ubj").read_bytes()
        road.step("evaluate all three", "fusion.evaluate", *KINDS, "dataset.csv")
        auc = {one["artifact"]: one["measures"]["AUC"] for one in _report(folder)}
    _tell(road.seconds)
    rounded = {step: round(value, 1) for step, value in road.seconds.items()}
    measured = {"views": total, "kept_by_the_kill": kept, "same_model_again": same, "test_auc": auc}
    write_result("workbench", {"seconds": rounded, **measured}, talk, out)


def _views(dataset: Path) -> int:
    from img_ml.data.dataset import read_rows
    from img_ml.data.views import training_views

    wanted = training_views(2, 0)
    return sum(len(wanted(row, "0" * 64)) for row in read_rows(dataset))


def _report(folder: Path) -> list[dict[str, dict[str, object]]]:
    content: list[dict[str, dict[str, object]]]
    content = json.loads((folder / "report" / "report.json").read_text())["artifacts"]
    return content


def _tell(seconds: dict[str, float]) -> None:
    table = Table("step", "seconds")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.0f}")
    table.add_row("all", f"{sum(seconds.values()):.0f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    run_command(main)
