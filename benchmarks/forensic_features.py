"""`python -m benchmarks.forensic_features --dataset CSV`: which hand-made features help beside the network.

One training view of each drawn image of train and val is measured by every family, by the profile's analyzers, and by
the member of the network `crop_network` that did not learn from the image's source. Gradient-boosted trees are then
cross-validated over each of these alone and beside the network's logit, folds grouped by source. They are free to turn
a number either way, the logit too, which a fusion's are not. Prints Markdown; every AUC has its bootstrap interval over
sources.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.support.crop_network import NETWORK, crop_network, light_engine
from benchmarks.support.forensic.families import FAMILIES
from benchmarks.support.forensic.sight import Kept, Sight
from benchmarks.support.markdown import table_line, with_interval
from forensics.errors import DatasetError, ImgMlError
from forensics.examine import examine
from forensics.reading.decode import decode
from forensics.types import ImageSample, Measured
from fusion.evaluation.metrics import Estimate, Ranking, estimates, within_source_auc
from fusion.features import FeatureSchema, schema_of, vector
from fusion.weighers.kinds import KINDS
from fusion.weighers.weigher import Rows
from img_ml.command import run_command, told_errors
from img_ml.data.bootstrap import Measure
from img_ml.data.dataset import Row, read_datasets
from img_ml.data.folds import balanced_weights, grouped_folds
from img_ml.data.views import render_view, training_views
from img_ml.engine.held_out import source_mark
from img_ml.engine.loaded import LearnedDetector

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)

ANALYZERS = "analyzers"
HEADER = ("weighed", "numbers", "ms", "AUC alone", "beside the network", "difference", "inside sources, beside")
# Trees of a model, and how often the folds are cut anew: one way of cutting alone is a matter of luck.
ROUNDS, CUTS = 200, 3
# Raise it when a family measures otherwise: what was kept before is then refused.
FORMAT = 1
Floats = NDArray[np.float64]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Instruments:
    """What every image is measured by: the network, and the numbers of the profile's analyzers."""

    network: LearnedDetector
    analyzers: tuple[str, ...]
    schema: FeatureSchema

    def measured(self, row: Row, shown: ImageSample) -> Sight | None:
        """What is found in one view; None where the network says nothing that can be trusted."""
        (signal,), spent = _timed(lambda: self.network.signals([shown]))
        member = self.network.held_out[source_mark(row.source)]
        if not isinstance(signal, Measured) or signal.embedding is None:
            return None
        evidence, examining = _timed(lambda: examine(shown, self.analyzers))
        found = {NETWORK: np.array([signal.embedding[member]], dtype=np.float64)}
        found[ANALYZERS] = vector(self.schema, evidence).values
        took = {NETWORK: spent, ANALYZERS: examining}
        for name, measure in FAMILIES.items():
            numbers, took[name] = _timed(lambda measure=measure: measure(shown.pixels))  # type: ignore[misc]
            found[name] = np.array(list(numbers.values()))
        return Sight(row, found, took)


@dataclass(frozen=True, slots=True)
class Measurements:
    """All measured views: the numbers of each group (n, f), what they cost in ms, and what is known of the rows."""

    found: Mapping[str, Floats]
    cost: Mapping[str, float]
    label: NDArray[np.int64]
    source: NDArray[np.str_]
    image: NDArray[np.str_]

    def joined(self, groups: Sequence[str]) -> Floats:
        """The numbers of several groups side by side."""
        return np.concatenate([self.found[name] for name in groups], axis=1)


@app.command()
def main(
    dataset: Annotated[list[Path], typer.Option(help="CSV with filepath,label,split (source). Repeatable.")],
    most: Annotated[
        int, typer.Option(min=50, help="Maximum number of images of train and val, drawn by the seed.")
    ] = 4000,
    seed: Annotated[int, typer.Option(help="Seed of images, views, folds and trees.")] = 0,
    keep: Annotated[Path | None, typer.Option(help="File that keeps what was measured; a later run goes on.")] = None,
) -> None:
    """Measure what each family of forensic features gives alone and beside the network `crop_network`."""
    with told_errors(talk):
        instruments = _instruments()
        rows = _drawn(read_datasets(dataset), instruments.network.held_out, most, seed)
        kept = Kept(keep, f"families {FORMAT}, seed {seed}, network {instruments.network.mark}")
        measurements = _together(list(_sights(rows, instruments, kept, seed)))
        _tell(measurements, seed)


def _instruments() -> Instruments:
    engine = light_engine()
    return Instruments(crop_network(engine), engine.analyzers, schema_of(engine.analyzers))


def _drawn(rows: Sequence[Row], held_out: Mapping[str, int], most: int, seed: int) -> list[Row]:
    """At most so many rows outside test whose source a member held out: an equal part of either class is likely.

    Inside a class a source is drawn by the root of its size, as the training weighs it. They come in the order of the
    draw, so that fewer are the first of more.
    """
    known = [row for row in rows if row.split != "test" and source_mark(row.source) in held_out]
    if not known:
        raise DatasetError("The network learned from none of these sources in folds: no honest number can be given.")
    chance = balanced_weights(np.array([row.label for row in known]), np.array([row.source for row in known]))
    # Who comes first by exponential waiting times is drawn by weight without replacement (Efraimidis and Spirakis).
    waiting = np.random.default_rng(seed).exponential(size=len(known)) / chance
    return [known[place] for place in np.argsort(waiting)[:most].tolist()]


def _sights(rows: Sequence[Row], instruments: Instruments, kept: Kept, seed: int) -> Iterator[Sight]:
    """What is found in one training view of each image; an image that cannot be read or is too small is left out."""
    left_out = 0
    for row in track(rows, "Measuring", console=talk, transient=True, disable=not talk.is_terminal):
        if row in kept:
            sight = kept.sight(row)
        else:
            sight = _sight(row, instruments, seed)
            kept.add(row, sight)
        if sight is None:
            left_out += 1
        else:
            yield sight
    if left_out:
        talk.print(f"{left_out} images could not be decoded or are too small, and are left out.")


def _sight(row: Row, instruments: Instruments, seed: int) -> Sight | None:
    try:
        sample = decode(row.path.read_bytes())
        (view,) = training_views(1, seed)(row, sample.sha256)
        return instruments.measured(row, decode(render_view(sample, view)))
    except ImgMlError:
        return None


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What the work gives, and the seconds of CPU time that this thread took for it."""
    since = time.thread_time()
    return work(), time.thread_time() - since


def _together(sights: Sequence[Sight]) -> Measurements:
    if not sights:
        raise DatasetError("None of the images could be measured.")
    groups = list(sights[0].found)
    rows = [sight.row for sight in sights]
    return Measurements(
        found={name: np.stack([sight.found[name] for sight in sights]) for name in groups},
        cost={name: 1000 * median(sight.took[name] for sight in sights) for name in groups},
        label=np.array([row.label for row in rows], dtype=np.int64),
        source=np.array([row.source for row in rows]),
        image=np.array([row.record.get("source_image") or str(row.path) for row in rows]),
    )


def _tell(measurements: Measurements, seed: int) -> None:
    """Print the table: the network, each group, all families together, the profile's analyzers."""
    asked = {f"`{NETWORK}`": (), **{name: (name,) for name in FAMILIES}}
    asked |= {"all of these": tuple(FAMILIES), "the profile's analyzers": (ANALYZERS,)}
    scores = {}
    for name, groups in track(asked.items(), "Weighing", console=talk, transient=True, disable=not talk.is_terminal):
        alone = _margins(measurements, groups, seed) if groups else measurements.found[NETWORK][:, 0]
        scores[name] = alone, _margins(measurements, (NETWORK, *groups), seed)
    told = _estimates(measurements, scores)
    ai, sources = int(measurements.label.sum()), len(np.unique(measurements.source))
    typer.echo(f"{len(measurements.label)} images, {ai} of them AI, of {sources} sources; seed {seed}\n")
    typer.echo(table_line(HEADER))
    typer.echo(table_line(["---"] * len(HEADER)))
    for name, groups in asked.items():
        counted = groups or (NETWORK,)
        numbers = sum(measurements.found[group].shape[1] for group in counted)
        cost = sum(measurements.cost[group] for group in counted)
        shown = [with_interval(told[name, column]) for column in ("alone", "beside", "difference", "within")]
        if not groups:
            shown[2] = ""
        typer.echo(table_line([name, str(numbers), f"{cost:.1f}", *shown]))


def _margins(measurements: Measurements, groups: Sequence[str], seed: int) -> Floats:
    """Each row's margin (n,) by trees that did not learn from its source, averaged over several cuts into folds."""
    values, label, source = measurements.joined(groups), measurements.label, measurements.source
    kind = KINDS["xgboost"]
    names = tuple(f"f{place}" for place in range(values.shape[1]))
    margins = np.zeros(len(label))
    for cut in range(CUTS):
        for learned, asked in grouped_folds(label, source, seed + cut):
            rows = Rows(values[learned], label[learned], balanced_weights(label[learned], source[learned]))
            model = kind.train(rows, names, kind.candidates[0], seed, ROUNDS)
            margins[asked] += model.margin(values[asked]) / CUTS
    return margins


def _estimates(
    measurements: Measurements, scores: Mapping[str, tuple[Floats, Floats]]
) -> dict[tuple[str, str], Estimate]:
    """AUC alone and beside the network, its difference to the trees over the network alone, and inside sources."""
    label, source, image = measurements.label, measurements.source, measurements.image
    yardstick = Ranking(scores[f"`{NETWORK}`"][1], label)
    measures: dict[tuple[str, str], Measure] = {}
    for name, (alone, beside) in scores.items():
        measures[name, "alone"] = Ranking(alone, label).auc
        measures[name, "beside"] = Ranking(beside, label).auc
        measures[name, "difference"] = _difference(Ranking(beside, label), yardstick)
        measures[name, "within"] = within_source_auc(beside, label, source, image)
    named = {f"{name}\n{column}": measure for (name, column), measure in measures.items()}
    found = estimates(named, source, image)
    return {(name, column): found[f"{name}\n{column}"] for name, column in measures}


def _difference(one: Ranking, other: Ranking) -> Measure:
    return lambda weight: one.auc(weight) - other.auc(weight)


if __name__ == "__main__":
    run_command(app)
