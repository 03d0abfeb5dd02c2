"""What votes and the ensemble are worth on a dataset: `python -m benchmarks.votes dataset.csv --split val`."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.special import logit

from forensics.errors import DatasetError, ImgMlError, WeightsError
from forensics.files import write_atomically
from forensics.reading.decode import decode
from forensics.settings import load as load_settings
from forensics.types import ImageSample
from fusion.evaluation.metrics import Estimate, Ranking, estimate
from fusion.evaluation.single_detectors import SingleDetector, measured_alone
from fusion.evaluation.tables import alone_table, finite
from img_ml.command import data_console, run_command, told_errors
from img_ml.data.dataset import Row, read_dataset
from img_ml.detectors._votes import Combine, Flips, Voting
from img_ml.ensemble import APPS, ENSEMBLED, Ensemble, combined, load_app
from img_ml.settings import ImgMlSettings

VOTES = (1, 5, 7)
# Each image of the variance is asked so often, under other draws of its crops.
DRAWS = 8
_BATCH = 16

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """How the mean logit over so many random views of one image varies: variance over draws, mean over images."""

    member: str
    votes: int
    variance: float

    @property
    def of_one(self) -> float:
        """The variance of a single view that this one would stem from if views were independent."""
        return self.variance * self.votes


@app.command()
def votes(
    dataset: Annotated[Path, typer.Argument(help="CSV with the columns filepath,label,split (source).")],
    split: Annotated[str, typer.Option(help="Split to measure: train, val or test.")] = "val",
    spread_images: Annotated[int, typer.Option(min=0, help="Images for the variance over draws; 0: none.")] = 40,
    flips: Annotated[Flips, typer.Option(help="How views are flipped; both: upside down too.")] = "horizontal",
    combine: Annotated[Combine, typer.Option(help="Average logits, or count labels as the entry does.")] = "logits",
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the numbers to this file.")] = None,
) -> None:
    """Measure each trained member and the ensemble of them by 1, 5 and 7 votes, and how votes steady the logits.

    Members that are not trained are left out, with a word. Exit codes: 0 done, 2 nothing is trained or bad input.
    """
    talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    with told_errors(talk):
        rows = [row for row in read_dataset(dataset) if row.split == split]
        if {row.label for row in rows} != {0, 1}:
            raise DatasetError(f"The split {split!r} of {dataset} does not hold images of both classes.")
        members = _members(talk)
        asked = {count: Voting(count, flips, combine) for count in VOTES}
        found = {(name, count): _scores(name, asked[count], rows, talk) for count in VOTES for name in members}
        members = [name for name in members if not np.isnan(found[name, 1]).all()]
        table = [*_rows(members, found, rows, combine)]
        gains = {count: _gain(members, count, found, rows, combine) for count in VOTES if len(members) > 1}
        spreads = _spreads(members, rows[:: max(1, len(rows) // max(spread_images, 1))][:spread_images], talk)
        if json_file:
            content = {
                "dataset": dataset.name,
                "split": split,
                "flips": flips,
                "combine": combine,
                "rows": [asdict(row) for row in table],
                "ensemble_minus_best": {count: asdict(gain) for count, (_, gain) in gains.items()},
                "spread": [asdict(one) for one in spreads],
            }
            write_atomically(json_file, json.dumps(finite(content), indent=2) + "\n")
    console = data_console()
    console.print(alone_table(table, f"By votes, {split}, 95 % over sources"))
    for count, (best, gain) in gains.items():
        told = f"{gain.value:+.3f} ({gain.sources.low:+.3f} to {gain.sources.high:+.3f})"
        console.print(f"AUC of the ensemble minus that of its best member, {best}, {count} votes: {told}")
    if spreads:
        console.print(_spread_table(spreads))


def _members(talk: Console) -> list[str]:
    settings = load_settings(ImgMlSettings)
    found = []
    for name in APPS[ENSEMBLED]:
        try:
            load_app(name, Voting(), settings.weights_dir, settings.device)
        except ImgMlError as error:
            talk.print(f"Left out: {error}")
            continue
        found.append(name)
    if not found:
        raise WeightsError("No member has been trained.")
    return found


def _scores(name: str, voting: Voting, rows: Sequence[Row], talk: Console) -> Floats:
    """The probability of each image."""
    settings = load_settings(ImgMlSettings)
    ensemble = load_app(name, voting, settings.weights_dir, settings.device)
    parts = range(0, len(rows), _BATCH)
    shown = track(parts, f"{name}, {voting.votes} votes", console=talk, transient=True, disable=not talk.is_terminal)
    batches = ([decode(row.path.read_bytes()) for row in rows[at : at + _BATCH]] for at in shown)
    return np.concatenate([_asked(ensemble, batch) for batch in batches])


def _asked(ensemble: Ensemble, samples: Sequence[ImageSample]) -> Floats:
    return np.array([numbers[0] for numbers in ensemble.probabilities(samples)])


def _together(members: Sequence[str], count: int, found: dict[tuple[str, int], Floats], combine: Combine) -> Floats:
    stacked = np.stack([found[name, count] for name in members], axis=1)
    return np.array([combined(numbers, combine) for numbers in stacked])


def _rows(
    members: Sequence[str], found: dict[tuple[str, int], Floats], rows: Sequence[Row], combine: Combine
) -> list[SingleDetector]:
    label, source, image = _facts(rows)
    columns = {f"{name}, {count} votes": found[name, count] for name in members for count in VOTES}
    if len(members) > 1:
        columns |= {f"ensemble, {count} votes": _together(members, count, found, combine) for count in VOTES}
    return [measured_alone(name, values, label, source, image) for name, values in columns.items()]


def _gain(
    members: Sequence[str], count: int, found: dict[tuple[str, int], Floats], rows: Sequence[Row], combine: Combine
) -> tuple[str, Estimate]:
    """The best member by AUC, and how much better the ensemble is, on the same resamples."""
    label, source, image = _facts(rows)
    ranked = {name: Ranking(np.nan_to_num(found[name, count], nan=0.5), label) for name in members}
    everything = np.ones(len(label))
    best = max(ranked, key=lambda name: ranked[name].auc(everything))
    together = Ranking(np.nan_to_num(_together(members, count, found, combine), nan=0.5), label)
    return best, estimate(lambda weight: together.auc(weight) - ranked[best].auc(weight), source, image)


def _facts(rows: Sequence[Row]) -> tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.str_]]:
    label = np.array([row.label for row in rows], dtype=np.int64)
    return label, np.array([row.source for row in rows]), np.array([str(row.path) for row in rows])


def _spreads(members: Sequence[str], rows: Sequence[Row], talk: Console) -> list[Spread]:
    """Draws under other hashes are draws of other views; one vote is always the same, so two are the fewest."""
    settings = load_settings(ImgMlSettings)
    found = []
    for name in members if rows else ():
        for count in sorted({2, *VOTES} - {1}):
            ensemble = load_app(name, Voting(count), settings.weights_dir, settings.device)
            variances = [_variance(ensemble, decode(row.path.read_bytes())) for row in rows]
            found.append(Spread(name, count, float(np.mean(variances))))
    return found


def _variance(ensemble: Ensemble, sample: ImageSample) -> float:
    drawn = [replace(sample, sha256=hashlib.sha256(f"{sample.sha256} {n}".encode()).hexdigest()) for n in range(DRAWS)]
    return float(np.var(logit(np.clip(_asked(ensemble, drawn), 1e-9, 1 - 1e-9)), ddof=1))


def _spread_table(spreads: Sequence[Spread]) -> Table:
    table = Table("member", title="Mean logit over draws of views", title_justify="left")
    for heading in ("votes", "variance", "variance x votes"):
        table.add_column(heading, justify="right")
    for one in spreads:
        table.add_row(one.member, str(one.votes), f"{one.variance:.4f}", f"{one.of_one:.4f}")
    return table


if __name__ == "__main__":
    run_command(app)
