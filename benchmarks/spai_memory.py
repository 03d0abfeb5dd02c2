"""Memory of SPAI over images of growing size: `python -m benchmarks.spai_memory 224x224 1024x768 6000x4000`.

Random weights of the published architecture (or a tiny one), the detector's own code, one image at a time. Told is the
resident memory that an image adds at its peak, its pixels included, to a process with the network loaded. stdout is a
table in CSV. Linux only.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

ROOT = Path(__file__).parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from forensics.types import ImageSample  # noqa: E402 - also run as a file
from img_ml.command import run_command  # noqa: E402
from img_ml.detectors._spai import SpaiDetector  # noqa: E402
from img_ml.detectors.spai import signal  # noqa: E402
from img_ml.networks.spai.network import Spai  # noqa: E402
from img_ml.networks.spai.patches import place  # noqa: E402
from img_ml.networks.spai.sizes import SpaiSizes, VitSizes  # noqa: E402

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

MIB = 1 << 20
TINY = SpaiSizes(VitSizes(patch=56, width=64, depth=2, hidden=96), projection=16, context=32, heads=2, hidden=40)


@app.command()
def main(
    sizes: Annotated[list[str], typer.Argument(metavar="WIDTHxHEIGHT", help="Sizes of images.")],
    batch: Annotated[int, typer.Option(min=1, help="Batch size, in patches.")] = 8,
    tiny: Annotated[bool, typer.Option("--tiny", help="A backbone of two layers.")] = False,
) -> None:
    """Print, for each size, how many patches it has, how long it took, and the MiB it added at its peak."""
    network = Spai(TINY if tiny else SpaiSizes()).eval().requires_grad_(False)
    detector = SpaiDetector(network, "cpu", "0" * 64, signal, batch=batch)
    sys.stdout.write("size,batch,patches,seconds,MiB\n")
    for text in sizes:
        width, _, height = text.partition("x")
        for told in _measured(detector, int(width), int(height)):
            sys.stdout.write(f"{text},{batch},{told}\n")
            sys.stdout.flush()


def _measured(detector: SpaiDetector, width: int, height: int) -> Iterator[str]:
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = _resident("VmRSS")
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    since = time.perf_counter()
    detector([ImageSample(b"", "", "image/png", pixels)])
    seconds = time.perf_counter() - since
    patches = len(place(height, width, 224).corners)
    yield f"{patches},{seconds:.1f},{(_resident('VmHWM') - before) / MIB:.0f}"


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) * 1024


if __name__ == "__main__":
    torch.manual_seed(0)
    run_command(app)
