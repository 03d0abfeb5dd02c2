"""The engine with networks of full size: `python -m benchmarks.engine --profile full --random-weights`.

Decoded images go through the learned detectors of a profile, in batches as the worker makes them. Beside it, in turn:
the bare forward passes of the same networks on views that are on the device already, and the plain way of one image
and one model at a time through the hub's own processors. Files, forensics and fusion are not part of it.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from PIL import Image
from rich.table import Table

from benchmarks.support import photos
from benchmarks.support.command import orderly, talk
from benchmarks.support.engine.engine_runs import Runs, Workload, measured, plain_seconds
from benchmarks.support.processes import BenchmarkError
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.rates import ratios
from forensics.reading.decode import decode
from forensics.registry import get
from forensics.settings import load as load_settings
from img_ml.command import data_console, run_command
from img_ml.engine.device import Compile, DeviceUse, choose_device
from img_ml.engine.engine import Engine
from img_ml.engine.memory_plan import described
from img_ml.profiles import Profile, load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
MODES: tuple[Compile, ...] = ("off", "compile", "graphs")


@app.command()
def engine(
    profile: Annotated[str, typer.Option(help="Profile: its learned detectors are run.")] = "full",
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Random weights of the published sizes; else the pulled ones.")
    ] = False,
    tiny: Annotated[bool, typer.Option("--tiny", help="Random weights of a few kilobytes: a smoke test.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    images: Annotated[int, typer.Option(min=1, help="Images of one run.")] = 256,
    size: Annotated[str, typer.Option(metavar="WxH", help="Pixels of an image.")] = "1200x900",
    batch: Annotated[int, typer.Option(min=1, help="Batch size of the engine.")] = 32,
    views: Annotated[int, typer.Option(min=1, help="Maximum number of views in a network's batch.")] = 32,
    memory: Annotated[float | None, typer.Option(min=0, help="GiB of the device; unset: all; 0: no plan.")] = None,
    compiled: Annotated[str, typer.Option(help="Values of IMG_ML_COMPILE to measure; unset: all on cuda.")] = "",
    repeat: Annotated[int, typer.Option(min=1, help="Rounds of each mode.")] = 3,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Images per second, busy share, memory, each detector's share, and the ratio to two other ways."""
    with orderly(), _weights(profile, random=random_weights or tiny, tiny=tiny) as (chosen, weights):
        device = choose_device(device)
        loaded = Engine(chosen, weights, device, DeviceUse(memory, views))
        for name, reason in loaded.missing.items():
            talk.print(f"{name} is not measured: {reason}")
        if not loaded.loaded:
            raise BenchmarkError("No learned detector could be loaded: pull weights, or use --random-weights.")
        load = _workload(size, images, batch)
        modes = {mode: measured(loaded, load, device, mode, repeat) for mode in _modes(compiled, device)}
        plain = plain_seconds(loaded, weights, load, device)
        # A sum over some of the networks would be compared with a run of all.
        whole = sum(plain.values()) if len(plain) == len(loaded.loaded) else None
        told: dict[str, dict[str, Any]] = {mode: _told(runs, whole) for mode, runs in modes.items()}
        content = {
            "settings": {
                "profile": profile,
                "weights": "tiny" if tiny else "random" if random_weights else "pulled",
                "images": images,
                "size": size,
                "batch": batch,
                "repeat": repeat,
                "not_measured": dict(loaded.missing),
            },
            "device": _device_told(device),
            "plan": described(loaded.plan),
            "modes": told,
            "plain_way_ms_per_image": {name: round(1000 * one, 2) for name, one in plain.items()},
        }
        _show(told, plain)
        write_result("engine", content, talk, out)


def _modes(wanted: str, device: str) -> list[Compile]:
    if not wanted:
        return [mode for mode in MODES if mode == "off" or device.startswith("cuda")]
    names = wanted.split(",")
    if not set(names) <= set(MODES):
        raise BenchmarkError(f"--compiled is {wanted!r}: name some of {', '.join(MODES)}, separated by commas.")
    return [mode for mode in MODES if mode in names]


@contextlib.contextmanager
def _weights(name: str, *, random: bool, tiny: bool) -> Iterator[tuple[Profile, Path]]:
    """The learned detectors of a profile, and the folder of their weights."""
    settings = load_settings(ImgMlSettings)
    found = load_profile(name, settings.model_dir)
    # What runs on the CPU alone has no part in what is measured here.
    wanted = [get(detector) for detector in found.detectors]
    learned = tuple(entry.spec.name for entry in wanted if entry.load is not None and not entry.on_cpu)
    chosen = Profile(found.name, learned, found.artifact, found.tier, found.options)
    if not random:
        yield chosen, settings.weights_dir
        return
    from benchmarks.support.engine.random_weights import missing_word, write

    with TemporaryDirectory() as folder:
        left_out = write(learned, Path(folder), tiny=tiny)
        if left_out:
            talk.print(missing_word(left_out))
        yield chosen, Path(folder)


def _workload(size: str, images: int, batch: int) -> Workload:
    """Different pictures, cut or enlarged to the size, repeated as often as needed; each batch has its own arrays."""
    try:
        width, height = (int(one) for one in size.lower().split("x"))
    except ValueError:
        raise BenchmarkError(f"--size is {size!r}: write it like 1200x900.") from None
    pictures = [_encoded(one.resize((width, height))) for one in photos.photographs()]
    return Workload(tuple(decode(one) for one in pictures), images, batch)


def _encoded(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.convert("RGB").save(target, "JPEG", quality=90)
    return target.getvalue()


def _device_told(device: str) -> dict[str, object]:
    import torch

    if not device.startswith("cuda"):
        return {"kind": device, "threads": torch.get_num_threads(), "torch": torch.__version__}
    free = torch.cuda.get_device_properties(device)
    return {"kind": device, "name": free.name, "memory_mib": free.total_memory >> 20, "torch": torch.__version__}


def _told(runs: Runs, plain: float | None) -> dict[str, object]:
    rates = [1 / one for one in runs.seconds]
    together = sum(runs.alone.values())
    return {
        "images_per_second": round(median(rates), 3),
        "runs": [round(one, 3) for one in rates],
        "ratio_to_bare_forward_passes": ratios(rates, [1 / sum(one.values()) for one in runs.bare]),
        "ratio_to_plain_way": None if plain is None else ratios(rates, [1 / plain] * len(rates)),
        "busy_share": round(runs.busy, 3),
        "peak_mib": dict(runs.peak),
        "detectors": {
            name: {
                "share": round(took / together, 3),
                "ms_per_image": round(1000 * took, 3),
                "bare_ms_per_image": round(1000 * median(one[name] for one in runs.bare), 3),
            }
            for name, took in runs.alone.items()
        },
    }


def _show(modes: Mapping[str, Mapping[str, Any]], plain: Mapping[str, float]) -> None:
    table = Table("", *modes)
    rows = {
        "images/s": lambda one: str(one["images_per_second"]),
        "ratio to the bare forward passes": lambda one: _median(one["ratio_to_bare_forward_passes"]),
        "ratio to the plain way": lambda one: _median(one["ratio_to_plain_way"]),
        "busy share": lambda one: f"{one['busy_share']:.0%}",
        "peak memory, MiB": lambda one: ", ".join(f"{name} {size}" for name, size in one["peak_mib"].items()),
    }
    for title, told in rows.items():
        table.add_row(title, *(told(one) for one in modes.values()))
    for name in next(iter(modes.values()))["detectors"]:
        cells = [one["detectors"][name] for one in modes.values()]
        table.add_row(
            f"{name} (plain way {1000 * plain[name]:.1f} ms)" if name in plain else f"{name} (no plain way)",
            *(f"{one['share']:.0%}, {one['ms_per_image']} ms, bare {one['bare_ms_per_image']} ms" for one in cells),
        )
    data_console().print(table)


def _median(found: Mapping[str, float] | None) -> str:
    return "-" if found is None else str(found["median"])


if __name__ == "__main__":
    run_command(app)
