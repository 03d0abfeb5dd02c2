"""`python -m benchmarks.residual_scores GRAPH CSV`: what the members of an ONNX graph say of a dataset's images.

Prints source,label,score as CSV; the score is the mean logit, as the detector `residual` computes it. Where a
config.json beside the graph says which member held a source out, it is that member's logit alone.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from forensics.decode import decode
from forensics.types import Measured
from img_ml.command import told_errors
from img_ml.dataset import read_rows
from img_ml.detectors.residual import signal
from img_ml.held_out import source_mark
from img_ml.members_detector import MembersDetector
from img_ml.onnx_session import Members, session_of

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)


@app.command()
def main(
    graph: Annotated[Path, typer.Argument(help="residual.onnx, ladeda.onnx or npr.onnx.")],
    dataset: Annotated[Path, typer.Argument(help="CSV with filepath,label,split (source).")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
) -> None:
    """Score the images of one split; images with a side under 64 pixels are left out."""
    with told_errors(talk):
        members = Members(session_of(graph.read_bytes(), threads=1))
        facts = graph.with_name("config.json")
        held_out = json.loads(facts.read_text(encoding="utf-8"))["held_out"] if facts.is_file() else {}
        detector = MembersDetector(graph.stem, members, held_out, "", signal)
        rows = [row for row in read_rows(dataset) if row.split == split]
        out = csv.writer(sys.stdout)
        out.writerow(("source", "label", "score"))
        for row in track(rows, "Scoring", console=talk, transient=True, disable=not talk.is_terminal):
            (found,) = detector([decode(row.path.read_bytes())])
            if isinstance(found, Measured) and found.embedding is not None:
                member = held_out.get(source_mark(row.source))
                score = np.mean(found.embedding) if member is None else found.embedding[member]
                out.writerow((row.source, row.label, f"{score:.5f}"))


if __name__ == "__main__":
    app()
