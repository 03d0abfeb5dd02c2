"""`python -m benchmarks.onnx_or_torch`: one crop through the packaged network, by ONNX Runtime and by torch.

Both run on one thread and take turns. Torch gets the same network with drawn weights: what it takes does not depend on
them. Prints the least and the median of the milliseconds for a crop and a member.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from img_ml.command import data_console, told_errors
from img_ml.detectors._members import WINDOW
from img_ml.engine.onnx_session import Members, session_of
from img_ml.networks.crop_network import CropNetwork
from img_ml.weights.store import PACKAGED

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)


@app.command()
def main(repeat: Annotated[int, typer.Option(min=1, help="Rounds; both run in each.")] = 50) -> None:
    """Milliseconds of one thread for a crop and a member."""
    torch.set_num_threads(1)
    with told_errors(talk):
        members = Members(session_of((PACKAGED / "crop_network" / "crop_network.onnx").read_bytes(), threads=1))
    network = CropNetwork().eval().to(memory_format=torch.channels_last)
    crop = np.random.default_rng(0).integers(0, 256, (1, WINDOW, WINDOW, 3), dtype=np.uint8)

    def by_torch() -> None:
        with torch.inference_mode():
            network(torch.from_numpy(crop).permute(0, 3, 1, 2).float())

    ways: dict[str, Callable[[], object]] = {
        "ONNX Runtime": lambda: members.logits([crop] * members.count),
        "torch": by_torch,
    }
    share = {"ONNX Runtime": members.count, "torch": 1}
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(repeat + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if number:  # the first round fills caches
                took[name].append(1000 * (time.perf_counter() - began) / share[name])
    table = Table("", "least", "median", "to ONNX Runtime", title="Milliseconds for a crop and a member, one thread")
    for name, found in took.items():
        ratio = median(found) / median(took["ONNX Runtime"])
        table.add_row(name, f"{min(found):.2f}", f"{median(found):.2f}", f"{ratio:.2f}")
    data_console().print(table)


if __name__ == "__main__":
    app()
