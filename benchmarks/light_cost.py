"""What the light profile costs one core, part by part: `python -m benchmarks.light_cost`.

One image at a time on one thread, in this process: decoding, each detector, the verdict from what they found, and all
of it in one go. The image is drawn, not taken, so nothing is needed to run it. Each round also decodes the same bytes
with Pillow alone, which everything is held against. CPU time comes first, because other load hardly adds to it.
Learned detectors of the profile take part as soon as their weights are installed.
"""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from PIL import Image
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.support.command import orderly, talk
from benchmarks.support.machine import described
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.synthetic_photo import synthetic_photo
from forensics.errors import ArtifactError
from forensics.examine import Examined, examine, run_analyzer
from forensics.reading.decode import decode
from forensics.registry import get
from forensics.settings import load as load_settings
from fusion.artifacts.in_force import fusion_in_force
from fusion.judge import Judge
from img_ml.command import data_console, run_command
from img_ml.engine.engine import Engine
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

PROFILE = "light"
PILLOW, DECODE, VERDICT, WHOLE = "Pillow's decoding", "decode", "verdict", "whole"
_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of CPU time of this process, and seconds of the clock."""

    cpu: float
    wall: float


@app.command()
def light_cost(
    repeat: Annotated[int, typer.Option(min=1, help="Rounds; each does every part once, then all in one go.")] = 40,
    side: Annotated[int, typer.Option(min=64, help="Pixels of a side of the image.")] = 1000,
    quality: Annotated[int, typer.Option(min=1, max=95, help="The JPEG's quality.")] = 92,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Milliseconds of one core for one image of the light profile, and their ratio to a plain decoding by Pillow."""
    torch.set_num_threads(1)
    with orderly(), threadpool_limits(1):
        engine, judge = _loaded()
        content = synthetic_photo(side, quality=quality)
        rounds = [_round(engine, judge, content) for _ in range(repeat + _WARM_UP)][_WARM_UP:]
        parts = {name: _told([one[name] for one in rounds], [one[PILLOW] for one in rounds]) for name in rounds[0]}
        settings = {"repeat": repeat, "side": side, "quality": quality, "file_bytes": len(content), "threads": 1}
        _show(parts)
        write_result("light_cost", {"settings": settings, "missing": dict(engine.missing), "parts": parts}, talk, out)


def _loaded() -> tuple[Engine, Judge | None]:
    """The light profile's detectors and its judge; no judge where the profile's model does not fit its detectors."""
    settings = load_settings(ImgMlSettings)
    profile = load_profile(PROFILE, settings.model_dir)
    engine = Engine(profile, settings.weights_dir, "cpu")
    for name, reason in engine.missing.items():
        talk.print(f"{name} is left out: {reason}", markup=False)
    try:
        return engine, Judge(engine, fusion_in_force(profile), profile.name)
    except ArtifactError as error:
        talk.print(f"The verdict is left out: {error}", markup=False)
        return engine, None


def _round(engine: Engine, judge: Judge | None, content: bytes) -> dict[str, Took]:
    """What everything took, once."""
    found = {PILLOW: _took(lambda: _by_pillow(content)), DECODE: _took(lambda: decode(content))}
    sample = decode(content)
    for name in engine.analyzers:
        found[name] = _took(partial(run_analyzer, get(name), sample))
    for one in engine.loaded:
        found[one.name] = _took(partial(one.signals, [sample]))
    if judge is not None:
        examined = Examined(examine(sample, engine.analyzers), sample)
        concluded = _took(lambda: judge.conclude([examined]))
        # The judge runs the learned detectors itself.
        learned = [found[name] for name in engine.learned]
        rest = Took(concluded.cpu - sum(t.cpu for t in learned), concluded.wall - sum(t.wall for t in learned))
        found[VERDICT] = Took(max(rest.cpu, 0.0), max(rest.wall, 0.0))
    run = engine.run if judge is None else judge.judge
    return {**found, WHOLE: _took(lambda: run([decode(content)]))}


def _by_pillow(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as image:
        image.load()


def _took(work: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.process_time() - cpu, time.perf_counter() - wall)


def _told(rounds: Sequence[Took], pillow: Sequence[Took]) -> dict[str, float]:
    """Least and median of the rounds in milliseconds, and the ratio of the least CPU time to Pillow's."""
    cpu, wall = [one.cpu * 1000 for one in rounds], [one.wall * 1000 for one in rounds]
    return {
        "cpu_min_ms": round(min(cpu), 3),
        "cpu_median_ms": round(median(cpu), 3),
        "wall_min_ms": round(min(wall), 3),
        "wall_median_ms": round(median(wall), 3),
        "ratio_to_pillow": round(min(cpu) / (min(one.cpu for one in pillow) * 1000), 3),
    }


def _show(parts: Mapping[str, Mapping[str, float]]) -> None:
    machine = f"{described()['processor']}, one thread; milliseconds"
    table = Table("part", "CPU least", "CPU median", "clock least", "clock median", "to Pillow's", title=machine)
    for name, told in parts.items():
        table.add_row(name, *(f"{value:.2f}" for value in told.values()))
    data_console().print(table)


if __name__ == "__main__":
    run_command(app)
