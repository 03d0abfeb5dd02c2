"""What the HTTP gateway costs over the stream: `python -m benchmarks.gateway`.

Latency, turn by turn on an idle worker: `POST /v1/verdicts?wait` against the same bytes put into Redis by hand and
XADD, both until the verdict is there. ImageRate: images sent through the gateway by clients side by side while the
worker works, against the same images put into Redis by hand before it starts.
"""

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import track
from rich.table import Table

from benchmarks.support import photos
from benchmarks.support.command import orderly, talk
from benchmarks.support.image_rate import ImageRate, compared, measure, summary
from benchmarks.support.machine import cores
from benchmarks.support.processes import BenchmarkError
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.constant import RESULTS as RESULT_STREAM
from benchmarks.support.streams.gateway import gateway, post, post_all, put
from benchmarks.support.streams.jobs import results
from benchmarks.support.streams.redis_server import PrivateRedis, private_redis
from benchmarks.support.streams.workers import make_group, workers
from img_ml.command import data_console, run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_WARM_UP = 10
_PATIENCE_S = 60
_NOBODY = "127.0.0.1:1"


@app.command(name="gateway")
def command(
    images: Annotated[int, typer.Option(min=20, help="Images of one run of throughput.")] = 200,
    jobs: Annotated[int, typer.Option(min=1, help="Images of the run of latency, one at a time.")] = 100,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds of throughput; both run once in each.")] = 3,
    clients: Annotated[int, typer.Option(min=1, max=500, help="Clients that send side by side.")] = 8,
    files: Annotated[int, typer.Option(min=1, help="Number of different files.")] = 50,
    pixels: Annotated[int, typer.Option(min=64, help="Pixels of an image, about.")] = photos.MEGAPIXEL,
    profile: Annotated[str, typer.Option(help="Profile of the worker.")] = "light",
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Milliseconds that the gateway adds to a verdict, and its images per second to those without it."""
    contents = photos.files(files, pixels=pixels)
    with orderly(), private_redis() as server:
        ours, bare = list[ImageRate](), list[ImageRate]()
        for number in range(repeat):
            bare.append(_without(server, contents, images, profile))
            ours.append(_through(server, contents, images, clients, profile))
            talk.print(f"round {number + 1} of {repeat}: {ours[-1].rate:.2f} and {bare[-1].rate:.2f} images/s")
        content = {
            "settings": {
                "images": images,
                "jobs": jobs,
                "repeat": repeat,
                "clients": clients,
                "files": files,
                "file_bytes": round(sum(map(len, contents)) / files),
                "pixels": pixels,
                "profile": profile,
                "decode_processes": cores(),
                "redis": server.version,
            },
            "ms": _latency(server, contents, jobs, profile),
            "gateway": summary(ours),
            "stream": summary(bare),
            "ratio": compared(ours, bare),
        }
        _show(content)
        write_result("gateway", content, talk, out)


def _without(server: PrivateRedis, contents: Sequence[bytes], images: int, profile: str) -> ImageRate:
    make_group(server)
    with workers(1, server, _NOBODY, _settings(profile)) as running:
        for number in range(images):
            put(server, contents[number % len(contents)], number)
        return measure(lambda: results(server.client), images, running)


def _through(server: PrivateRedis, contents: Sequence[bytes], images: int, clients: int, profile: str) -> ImageRate:
    make_group(server)
    with workers(1, server, _NOBODY, _settings(profile)) as running, gateway(server) as found:
        threads = post_all(found, contents, images, clients)
        measured = measure(lambda: results(server.client), images, [*running, found.process])
        for thread in threads:
            thread.join()
        return measured


def _latency(server: PrivateRedis, contents: Sequence[bytes], jobs: int, profile: str) -> dict[str, dict[str, float]]:
    """p50 and p99 of both ways and of their difference, which is taken turn by turn.

    The second difference leaves out what the worker took in each by its own clocks, faster or slower as it happens.
    """
    make_group(server)
    settings = _settings(profile) | {"WORKER_BATCH_WAIT_MS": "0", "WORKER_DECODE_PROCESSES": "1"}
    turns = []
    with (
        workers(1, server, _NOBODY, settings),
        gateway(server) as found,
        contextlib.closing(found.connection()) as connection,
    ):
        for number in track(range(jobs + _WARM_UP), "jobs", console=talk, disable=not talk.is_terminal):
            data = contents[number % len(contents)]
            started = time.perf_counter()
            answer = post(connection, data, _PATIENCE_S)["result"]
            middle = time.perf_counter()
            by_hand = _by_hand(server, data, number)
            told = [one["timings_ms"]["total"] for one in (answer, by_hand)]
            turns.append((1000 * (middle - started), 1000 * (time.perf_counter() - middle), *told))
    through, straight, *in_worker = np.array(turns[_WARM_UP:]).T
    series = {
        "gateway": through,
        "stream": straight,
        "overhead": through - straight,
        "overhead outside the worker": (through - in_worker[0]) - (straight - in_worker[1]),
    }
    return {
        name: {f"p{share}": round(float(np.percentile(values, share)), 2) for share in (50, 99)}
        for name, values in series.items()
    }


def _by_hand(server: PrivateRedis, data: bytes, number: int) -> Any:
    newest = server.client.xrevrange(RESULT_STREAM, count=1)
    seen = newest[0][0] if newest else "0-0"
    put(server, data, number)
    answer = server.client.xread({RESULT_STREAM: seen}, count=1, block=_PATIENCE_S * 1000)
    if not answer:
        raise BenchmarkError(f"No result within {_PATIENCE_S} s.")
    [(_, [(_, fields)])] = answer
    return json.loads(fields[b"data"])


def _settings(profile: str) -> dict[str, str]:
    return {"IMG_ML_PROFILE": profile, "WORKER_DECODE_PROCESSES": str(cores())}


def _show(content: dict[str, object]) -> None:
    milliseconds, ratio = content["ms"], content["ratio"]
    assert isinstance(milliseconds, dict)
    assert isinstance(ratio, dict)
    table = Table("milliseconds", "p50", "p99")
    for name, values in milliseconds.items():
        table.add_row(name, f"{values['p50']:.1f}", f"{values['p99']:.1f}")
    data_console().print(table)
    talk.print(f"images/s through the gateway to those without it: {ratio['images_per_second']['median']:.2f}")


if __name__ == "__main__":
    run_command(app)
