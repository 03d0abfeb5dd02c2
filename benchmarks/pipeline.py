"""The whole light profile from HTTP to results, against the bare engine: `python -m benchmarks.pipeline`.

Ours: `python -m worker` fetches the images from a server on this machine and writes results to a Redis on this
machine; both run beside it and take their share of the cores. Bare: as many processes as the worker has for decoding,
with the files in memory; each decodes, examines and concludes batches of the same size with the same judge.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.support import photos
from benchmarks.support.command import orderly, talk
from benchmarks.support.image_rate import ImageRate, compared, summary
from benchmarks.support.machine import cores
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.light import Light
from benchmarks.support.streams.redis_server import private_redis
from img_ml.command import data_console, run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def pipeline(
    images: Annotated[int, typer.Option(min=20, help="Images of one run.")] = 400,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds; both run once in each.")] = 5,
    processes: Annotated[int, typer.Option(min=0, help="Decoding processes; 0: one per core.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Batch size of the judge.")] = 8,
    files: Annotated[int, typer.Option(min=1, help="Number of different files.")] = 50,
    threads: Annotated[int, typer.Option(min=0, help="OMP_NUM_THREADS of both; 0: not set.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Images per second through a real worker, and their ratio to the bare engine."""
    with orderly(), TemporaryDirectory() as name, private_redis() as server:
        folder, contents = Path(name), photos.files(files)
        light = Light(folder, tuple(photos.write(folder, contents)), processes or cores(), batch, images)
        settings = {"OMP_NUM_THREADS": str(threads)} if threads else {}
        ours, bare = list[ImageRate](), list[ImageRate]()
        for number in range(repeat):
            bare.append(light.through_bare_engine(settings))
            ours.append(light.through_workers(server, 1, settings))
            talk.print(
                f"round {number + 1} of {repeat}: worker {ours[-1].rate:.2f}, bare engine {bare[-1].rate:.2f} images/s"
            )
        content = {
            "settings": {
                "images": images,
                "files": files,
                "file_bytes": round(sum(map(len, contents)) / files),
                "pixels": photos.MEGAPIXEL,
                "repeat": repeat,
                "decode_processes": light.processes,
                "batch_size": batch,
                "omp_num_threads": threads or None,
                "redis": server.version,
                "bare_engine": "processes with the files in memory that decode, examine and conclude on batches",
            },
            "worker": summary(ours),
            "bare_engine": summary(bare),
            "ratio": compared(ours, bare),
        }
        _show(ours, bare)
        write_result("pipeline", content, talk, out)


def _show(ours: list[ImageRate], bare: list[ImageRate]) -> None:
    table = Table("", "images/s", "CPU ms/image")
    for name, runs in (("worker", ours), ("bare engine", bare)):
        told = summary(runs)
        table.add_row(name, str(told["images_per_second"]), str(told["cpu_ms_per_image"]))
    ratio = compared(ours, bare)
    by_rate, by_cpu = ratio["images_per_second"], ratio["images_per_cpu_second"]
    assert isinstance(by_rate, dict)
    assert isinstance(by_cpu, dict)
    table.add_row("ratio", str(by_rate["median"]), str(by_cpu["median"]))
    data_console().print(table)


if __name__ == "__main__":
    run_command(app)
