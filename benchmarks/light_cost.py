"""What the light profile costs one core, part by part: `python -m benchmarks.light_cost`.

One image at a time on one thread, in this process: decoding, each detector by its own clock, and what the judge takes
beyond them (gathering the evidence, weighing it). The image is drawn, not taken, so nothing is needed to run it. Each
round also decodes the same bytes with Pillow alone, which everything is held against. Learned detectors of the profile
take part as soon as their weights are installed.
"""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from forensics.decode import decode
from forensics.errors import ArtifactError
from forensics.types import Evidence, ImageSample
from fusion.judge import load_judge
from fusion.settings import FusionSettings
from img_ml.command import data_console
from img_ml.engine import Engine
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

PROFILE = "light"
PILLOW, DECODE, VERDICT, WHOLE, WHOLE_CPU = "Pillow's decoding", "decode", "verdict", "whole", "whole, CPU time"
_WARM_UP = 3

Judged = Callable[[ImageSample], Evidence]


@dataclass(frozen=True, slots=True)
class Judging:
    """The profile, loaded: `judged` takes one image through it, `detectors` are those that can measure here."""

    judged: Judged
    detectors: tuple[str, ...]
    missing: Mapping[str, str]
    weighs: bool


@app.command()
def light_cost(
    repeat: Annotated[int, typer.Option(min=1, help="Rounds; each takes the image through everything once.")] = 40,
    side: Annotated[int, typer.Option(min=64, help="Pixels of a side of the image.")] = 1000,
    quality: Annotated[int, typer.Option(min=1, max=95, help="The JPEG's quality.")] = 92,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Milliseconds of one core for one image of the light profile, and their ratio to a plain decoding by Pillow."""
    torch.set_num_threads(1)
    with orderly(), threadpool_limits(1):
        judging = _judging()
        content = synthetic_photo(side, quality=quality)
        rounds = [_round(judging.judged, content) for _ in range(repeat + _WARM_UP)][_WARM_UP:]
        names = [PILLOW, DECODE, *judging.detectors, *([VERDICT] if judging.weighs else []), WHOLE, WHOLE_CPU]
        told = {name: _told([one[name] for one in rounds], [one[PILLOW] for one in rounds]) for name in names}
        settings = {"repeat": repeat, "side": side, "quality": quality, "file_bytes": len(content), "threads": 1}
        _show(told)
        write_result("light_cost", {"settings": settings, "missing": dict(judging.missing), "parts": told}, talk, out)


def _judging() -> Judging:
    """The light profile with its fusion; without, where the profile's model does not fit its detectors."""
    settings = ImgMlSettings().model_copy(update={"profile": PROFILE, "device": "cpu"})
    try:
        judge = load_judge(settings, FusionSettings())
    except ArtifactError as error:
        talk.print(f"The verdict is left out: {error}", markup=False)
        profile = load_profile(PROFILE, settings.model_dir)
        engine = Engine(profile, settings.weights_dir, settings.device)
        return _checked(Judging(lambda sample: engine.run([sample])[0], engine.present, engine.missing, weighs=False))
    present = tuple(name for name in load_profile(PROFILE, settings.model_dir).detectors if name not in judge.missing)
    return _checked(Judging(lambda sample: judge.judge([sample])[0].evidence, present, judge.missing, weighs=True))


def _checked(judging: Judging) -> Judging:
    for name, reason in judging.missing.items():
        talk.print(f"{name} is left out: {reason}", markup=False)
    return judging


def _round(judged: Judged, content: bytes) -> dict[str, float]:
    """Milliseconds of everything, once."""
    started = time.perf_counter()
    with Image.open(io.BytesIO(content)) as image:
        image.load()
    pillow = time.perf_counter() - started
    started, cpu = time.perf_counter(), time.process_time()
    sample = decode(content)
    decoded = time.perf_counter() - started
    evidence = judged(sample)
    whole, whole_cpu = time.perf_counter() - started, time.process_time() - cpu
    parts = {PILLOW: pillow, DECODE: decoded, WHOLE: whole, WHOLE_CPU: whole_cpu}
    rest = (whole - decoded) * 1000 - sum(evidence.timings_ms.values())
    return {**{name: seconds * 1000 for name, seconds in parts.items()}, **evidence.timings_ms, VERDICT: rest}


def _told(milliseconds: Sequence[float], pillow: Sequence[float]) -> dict[str, float]:
    """The least and the median of the rounds, and the ratio of the least to Pillow's least."""
    least = min(milliseconds)
    return {
        "min_ms": round(least, 3),
        "median_ms": round(median(milliseconds), 3),
        "ratio_to_pillow": round(least / min(pillow), 3),
    }


def _show(told: Mapping[str, Mapping[str, float]]) -> None:
    table = Table("part", "least ms", "median ms", "to Pillow's decoding", title=str(described()["processor"]))
    for name, one in told.items():
        table.add_row(name, f"{one['min_ms']:.2f}", f"{one['median_ms']:.2f}", f"{one['ratio_to_pillow']:.2f}")
    data_console().print(table)


if __name__ == "__main__":
    app()
