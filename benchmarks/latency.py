"""One job at a time on an idle worker, against the engine alone: `python -m benchmarks.latency`.

From XADD to the result being readable (a blocking XREAD), with WORKER_BATCH_WAIT_MS=0, turn by turn with the engine on
the same bytes in this process (decode, examine, conclude). What the worker itself says it spent is told beside it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from rich.progress import track
from rich.table import Table

from benchmarks.support import photos
from benchmarks.support.command import orderly, talk
from benchmarks.support.processes import BenchmarkError
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.constant import RESULTS as RESULT_STREAM
from benchmarks.support.streams.image_server import image_server
from benchmarks.support.streams.jobs import push
from benchmarks.support.streams.redis_server import PrivateRedis, private_redis
from benchmarks.support.streams.workers import jobs_for, make_group, workers
from forensics.examine import Examined, examine
from forensics.reading.decode import decode
from forensics.settings import load as load_settings
from fusion.judge import Judge, load_judge
from fusion.settings import FusionSettings
from img_ml.command import data_console, run_command
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_SETTINGS = {"WORKER_BATCH_WAIT_MS": "0", "WORKER_DECODE_PROCESSES": "1"}
_STAGES = ("fetch", "examine", "conclude", "total")
_WARM_UP = 10
_LONGEST_MS = 60_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One image, in milliseconds: through the worker, by the engine alone, and the worker's own clocks.

    `job_detectors` and `engine_detectors` are what the detectors took of it, by their own clocks.
    """

    job: float
    engine: float
    stages: Mapping[str, float]
    job_detectors: float
    engine_detectors: float

    @property
    def around(self) -> float:
        """What passed outside the worker's own clocks: reading the job, writing the result, Redis."""
        return self.job - self.stages["total"]

    @property
    def overhead(self) -> float:
        """What the worker takes more than the engine."""
        return self.job - self.engine

    @property
    def overhead_outside(self) -> float:
        """The same without the time inside the detectors, which run in both, faster or slower as it happens."""
        return self.overhead - (self.job_detectors - self.engine_detectors)


@app.command()
def latency(
    jobs: Annotated[int, typer.Option(min=1, help="Jobs of one run, one at a time.")] = 200,
    repeat: Annotated[int, typer.Option(min=1, help="Runs, each with a new worker.")] = 3,
    files: Annotated[int, typer.Option(min=1, help="Number of different files.")] = 50,
    pixels: Annotated[int, typer.Option(min=64, help="Pixels of an image, about.")] = photos.MEGAPIXEL,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Milliseconds from a job to its result, and how much of it the engine alone takes."""
    with orderly(), TemporaryDirectory() as name, private_redis() as server:
        contents = photos.files(files, pixels=pixels)
        names = photos.write(Path(name), contents)
        judge = load_judge(load_settings(ImgMlSettings), load_settings(FusionSettings))
        runs = [_run(server, judge, Path(name), names, contents, jobs) for _ in range(repeat)]
        content = {
            "settings": {"jobs": jobs, "repeat": repeat, "files": files, "pixels": pixels, **_SETTINGS},
            "ms": _told([turn for run in runs for turn in run]),
            "runs": [_told(run) for run in runs],
        }
        _show(content["ms"])
        write_result("latency", content, talk, out)


def _run(
    server: PrivateRedis, judge: Judge, folder: Path, names: Sequence[str], contents: Sequence[bytes], jobs: int
) -> list[Turn]:
    with image_server(folder) as place:
        make_group(server)
        turns, seen = [], "0-0"
        with workers(1, server, place, _SETTINGS):
            todo = list(jobs_for(place, names, jobs + _WARM_UP))
            for number, job in enumerate(track(todo, "jobs", console=talk, disable=not talk.is_terminal)):
                engine, engine_detectors = _by_engine(judge, contents[number % len(contents)])
                through, seen, timings = _by_worker(server, job, seen)
                detectors = sum(value for name, value in timings.items() if name not in _STAGES)
                stages = {name: timings[name] for name in _STAGES}
                turns.append(Turn(through, engine, stages, detectors, engine_detectors))
    return turns[_WARM_UP:]


def _by_engine(judge: Judge, content: bytes) -> tuple[float, float]:
    """Milliseconds, and those inside the detectors."""
    started = time.perf_counter()
    [verdict] = judge.conclude([Examined(examine(decode(content), judge.analyzers))])
    return (time.perf_counter() - started) * 1000, sum(verdict.evidence.timings_ms.values())


def _by_worker(server: PrivateRedis, job: str, seen: str) -> tuple[float, str, dict[str, float]]:
    """Milliseconds, the id of the result's entry, and the result's own timings."""
    started = time.perf_counter()
    push(server.client, [job])
    answer = server.client.xread({RESULT_STREAM: seen}, count=1, block=_LONGEST_MS)
    took = (time.perf_counter() - started) * 1000
    if not answer:
        raise BenchmarkError(f"No result within {_LONGEST_MS // 1000} s.")
    [(_, [(entry_id, fields)])] = answer
    result = json.loads(fields[b"data"])
    if result["error"]:
        raise BenchmarkError(f"The worker answered with an error: {result['error']}")
    return took, entry_id.decode(), result["timings_ms"]


def _told(turns: Sequence[Turn]) -> dict[str, dict[str, float]]:
    """p50 and p99 of everything; `overhead` is taken turn by turn."""
    series = {
        "job": [turn.job for turn in turns],
        "engine": [turn.engine for turn in turns],
        "overhead": [turn.overhead for turn in turns],
        "overhead outside the detectors": [turn.overhead_outside for turn in turns],
        **{f"worker: {name}": [turn.stages[name] for turn in turns] for name in _STAGES},
        "around the worker's clocks": [turn.around for turn in turns],
    }
    return {
        name: {f"p{share}": round(float(np.percentile(values, share)), 2) for share in (50, 99)}
        for name, values in series.items()
    }


def _show(told: object) -> None:
    assert isinstance(told, dict)
    table = Table("milliseconds", "p50", "p99")
    for name, values in told.items():
        table.add_row(name, f"{values['p50']:.1f}", f"{values['p99']:.1f}")
    data_console().print(table)


if __name__ == "__main__":
    run_command(app)
