"""`python -m benchmarks.small_networks --dataset CSV NAME=GRAPH.onnx ...`: small networks trained alike, in one table.

Each graph is what `python -m img_ml.train crop_network` installed, its config.json beside it. An image of train or val
is scored by the one member that did not learn from its source, or by all where none did; one of test by all. Prints
Markdown; every number has its bootstrap interval over sources.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.support.markdown import table_line, with_interval
from forensics.errors import DatasetError, UsageError
from forensics.reading.decode import decode
from forensics.types import ImageSample, Measured
from fusion.evaluation.metrics import Estimate, Ranking, estimates, within_source_auc
from img_ml.command import run_command, told_errors
from img_ml.data.dataset import Row, read_datasets
from img_ml.detectors._members import MembersDetector
from img_ml.detectors.crop_network import signal
from img_ml.engine.held_out import source_mark
from img_ml.engine.onnx_session import Members, session_of

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
HEADER = ("network", "MB", "held-out AUC", "inside sources", "test AUC", "inside sources", "recall at 5 % FP")


@dataclass(frozen=True, slots=True)
class ScoredNetwork:
    """One trained network: its graph, and which member held out a source, by the source's mark."""

    name: str
    detector: MembersDetector
    held_out: Mapping[str, int]
    megabytes: float

    def score(self, row: Row, sample: ImageSample) -> float:
        """The logit of an image by the members that did not learn from its source; NaN where it is too small."""
        (found,) = self.detector([sample])
        if not isinstance(found, Measured) or found.embedding is None:
            return np.nan
        member = None if row.split == "test" else self.held_out.get(source_mark(row.source))
        return float(np.mean(found.embedding) if member is None else found.embedding[member])


@app.command()
def main(
    graphs: Annotated[list[str], typer.Argument(metavar="NAME=GRAPH", help="A name and the graph of a network.")],
    dataset: Annotated[list[Path], typer.Option(help="CSV with filepath,label,split (source). Repeatable.")],
    most: Annotated[
        int, typer.Option(min=100, help="Maximum number of images of train and val, drawn by the seed.")
    ] = 6000,
    seed: Annotated[int, typer.Option(help="Seed of the images that are drawn.")] = 0,
) -> None:
    """Compare small networks on the sources that they held out, and on the test split."""
    with told_errors(talk):
        networks = [_network(one) for one in graphs]
        rows = _drawn(read_datasets(dataset), most, seed)
        scores = np.array([[one.score(row, sample) for one in networks] for row, sample in _samples(rows)])
        typer.echo(table_line(HEADER))
        typer.echo(table_line(["---"] * len(HEADER)))
        for network, values in zip(networks, scores.T, strict=True):
            typer.echo(table_line(_told(network, rows, values)))


def _network(told: str) -> ScoredNetwork:
    name, _, path = told.partition("=")
    graph = Path(path)
    try:
        data = graph.read_bytes()
        held_out = dict(json.loads(graph.with_name("config.json").read_text(encoding="utf-8"))["held_out"])
    except OSError as error:
        raise UsageError(f"{told}: write NAME=GRAPH; {error.strerror}: {error.filename}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The config.json beside {graph} does not say what was held out: {error!r}") from error
    detector = MembersDetector(name, Members(session_of(data, threads=1)), held_out, "", signal)
    return ScoredNetwork(name, detector, held_out, len(data) / 1e6)


def _drawn(rows: Sequence[Row], most: int, seed: int) -> list[Row]:
    known = [row for row in rows if row.split != "test"]
    places = np.sort(np.random.default_rng(seed).permutation(len(known))[:most])
    return [*(known[place] for place in places.tolist()), *(row for row in rows if row.split == "test")]


def _samples(rows: Sequence[Row]) -> Iterator[tuple[Row, ImageSample]]:
    for row in track(rows, "Scoring", console=talk, transient=True, disable=not talk.is_terminal):
        yield row, decode(row.path.read_bytes())


def _told(network: ScoredNetwork, rows: Sequence[Row], scores: np.ndarray) -> list[str]:
    test = np.array([row.split == "test" for row in rows])
    known, asked = (_measured(rows, scores, side & ~np.isnan(scores)) for side in (~test, test))
    return [
        network.name,
        f"{network.megabytes:.2f}",
        *(with_interval(known.get(name)) for name in ("auc", "within")),
        *(with_interval(asked.get(name)) for name in ("auc", "within", "recall")),
    ]


def _measured(rows: Sequence[Row], scores: np.ndarray, chosen: np.ndarray) -> dict[str, Estimate]:
    """The measures of the chosen rows; none where no row is chosen."""
    if not chosen.any():
        return {}
    some = [rows[place] for place in np.flatnonzero(chosen).tolist()]
    label, source = np.array([row.label for row in some]), np.array([row.source for row in some])
    image = np.array([row.record.get("source_image") or str(row.path) for row in some])
    ranking = Ranking(scores[chosen], label)
    measures = {
        "auc": ranking.auc,
        "within": within_source_auc(scores[chosen], label, source, image),
        "recall": lambda weight: ranking.recall_at(weight, 0.05),
    }
    return estimates(measures, source, image)


if __name__ == "__main__":
    run_command(app)
