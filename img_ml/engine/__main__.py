"""`python -m img_ml.engine plan PROFILE`: what fits into a device's memory, and what takes turns."""

import json
import sys
from typing import Annotated

import typer
from rich.table import Table

from forensics.settings import load as load_settings
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.engine.device import GIB, choose_device, memory_of
from img_ml.engine.memory_plan import MemoryPlan, demands, described, plan
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
talk = talk_console()


@app.callback()
def main() -> None:
    """The engine that runs a profile.

    Exit codes: 0 done, 1 a network does not fit, 2 it cannot be done.
    """


@app.command(name="plan")
def show(
    profile: Annotated[str, typer.Argument(help="tiny, light, standard, full, or a profile file (TOML).")],
    memory: Annotated[
        float | None, typer.Option(min=0, help="GiB of device memory (default: what the engine would use here).")
    ] = None,
    views: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of views in a batch; unset: IMG_ML_DEVICE_VIEWS.")
    ] = None,
    float32: Annotated[bool, typer.Option("--float32", help="All weights in 32 bits, as on mps.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Tell how the networks of a profile share a device: all of its weights count, pulled or not.

    With --memory no device is looked at.
    """
    with told_errors(talk):
        settings = load_settings(ImgMlSettings)
        if memory is None:
            memory = memory_of(choose_device(settings.device), settings.device_memory)
        demanded = demands(load_profile(profile, settings.model_dir), low_precision=not float32)
        found = plan(demanded, memory or None, views or settings.device_views)
    if as_json:
        sys.stdout.write(json.dumps({"profile": profile, **described(found)}, indent=2) + "\n")
    else:
        _show(found)
    if any(one.place == "does not fit" for one in found.placed):
        raise typer.Exit(1)


def _show(found: MemoryPlan) -> None:
    table = Table("Detector", "Weights", "Size", "Place", "Views at once", "They take")
    for one in found.placed:
        demand = one.demand
        table.add_row(
            demand.detector,
            demand.weights or "its own",
            told(demand.weights_bytes),
            one.place,
            str(one.micro_batch or "-"),
            told(demand.view_bytes * one.micro_batch) if one.micro_batch else "-",
        )
    data_console().print(table)
    limit = "" if found.memory is None else f" of {found.memory:g} GiB"
    talk.print(f"At most {told(found.most_bytes)}{limit} are taken at one time, 1 GiB of it set aside.")
    if found.moved_bytes:
        talk.print(f"{told(found.moved_bytes)} are moved to the device per batch.")


def told(size: int) -> str:
    """Bytes in words."""
    return f"{size / GIB:.2f} GiB"


if __name__ == "__main__":
    run_command(app)
