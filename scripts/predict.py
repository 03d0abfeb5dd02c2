"""Label the images of a folder by trained networks: `python -m scripts.predict --app ensembled --votes 7 DIR`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from forensics.errors import DatasetError, JobError, WeightsError
from forensics.files import write_atomically
from forensics.printable import on_one_line
from forensics.reading.decode import DecodeLimits, decode
from forensics.sandbox.sandbox import Sandbox
from forensics.sandbox.settings import SandboxSettings
from forensics.settings import load as load_settings
from forensics.types import ImageSample
from img_ml.command import run_command, talk_console, told_errors
from img_ml.data.dataset import read_rows
from img_ml.data.image_files import image_files
from img_ml.detectors._votes import MOST_VOTES, Combine, Flips, Voting
from img_ml.ensemble import APPS, Ensemble, combined, load_app
from img_ml.settings import ImgMlSettings
from img_ml.weights.store import pull_command
from img_ml.weights.table import of

# What stands in the place of an image that cannot be read: a line has to, for lines are told apart by their number.
UNREADABLE = "-1"
_BATCH = 16

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Votes = Annotated[int, typer.Option(min=1, max=MOST_VOTES, help="Number of crops or views of an image.")]
FlipsOption = Annotated[Flips, typer.Option("--flips", help="How views are flipped; both: upside down too.")]
CombineOption = Annotated[
    Combine,
    typer.Option("--combine", help="Average the logits of views and members, or count their labels (majority)."),
]
Truth = Annotated[
    Path | None,
    typer.Option(
        help="Known labels, whose accuracy is told: a CSV with filepath,label,split, or a text with one label a line "
        "(default: dataset.csv in DIR, where there is one)."
    ),
]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image: its probability of AI and those of the members by name, or what is wrong with it."""

    path: Path
    probability: float = float("nan")
    members: tuple[float, ...] = ()
    problem: str = ""


@app.command()
def predict(
    application: Annotated[str, typer.Option("--app", help=f"{', '.join(APPS)}, or any detector with a probability.")],
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of images.", show_default="data")] = Path(
        "data"
    ),
    votes: Votes = 1,
    flips: FlipsOption = "horizontal",
    combine: CombineOption = "logits",
    out: Annotated[Path, typer.Option(help="One label a line, 1 is AI, in the order of the file names.")] = Path(
        "out/result.txt"
    ),
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Probability at or above which an image is called AI.")
    ] = 0.5,
    truth: Truth = None,
) -> None:
    """Label every image of a folder, 1 for AI and 0 for not, in the format of the contest.

    The labels alone go into the file, one a line; which image a line is about, and its probabilities, is told as
    tab-separated lines on stdout. Numbered files come in the order of their numbers. An image that cannot be read is
    -1. Exit codes: 0 done, 2 something is wrong with the input or not trained, 3 some images could not be read.
    """
    talk = talk_console()
    with told_errors(talk):
        paths = images_of(folder)
        known = _known(truth, folder, paths)
        settings = load_settings(ImgMlSettings)
        ensemble = load_app(application, Voting(votes, flips, combine), settings.weights_dir, settings.device)
        with Sandbox(load_settings(SandboxSettings).sandbox_rules()) as sandbox:
            found = _predicted(ensemble, paths, combine, sandbox, talk)
        _check_members(ensemble, found)
        labels = [_label(one, threshold, combine) for one in found]
        write_atomically(out, "".join(f"{label}\n" for label in labels))
    _tell(ensemble, found, labels)
    bad = [one for one in found if one.problem]
    fewer = sum(bool(np.isnan(one.members).any()) for one in found if one.members)
    if fewer:
        talk.print(f"Of {fewer} images not every member of {application} gave a probability; see the columns.")
    for one in bad:
        talk.print(f"{one.path}: {one.problem}")
    judged = [(label, known[one.path]) for one, label in zip(found, labels, strict=True) if one.path in known]
    if judged:
        right = sum(label == str(true) for label, true in judged)
        talk.print(f"Accuracy {right / len(judged):.5%}: {right} of {len(judged)} labels are the known ones.")
    talk.print(f"{labels.count('1')} of {len(found) - len(bad)} images are AI by {application}; wrote {out}")
    raise typer.Exit(3 if bad else 0)


def images_of(folder: Path) -> list[Path]:
    """The images right in the folder, by their numbers where all are numbered, else by name; DatasetError for none."""
    found = image_files(folder, below=False)
    numbered = all(path.stem.isascii() and path.stem.isdigit() for path in found)
    return sorted(found, key=lambda path: (int(path.stem), path.name) if numbered else (0, path.name))


def _known(truth: Path | None, folder: Path, paths: list[Path]) -> dict[Path, int]:
    """The labels that are known, by image; DatasetError where they cannot be read or do not fit."""
    listed = folder / "dataset.csv"
    if truth is None and not listed.is_file():
        return {}
    source = truth or listed
    if source.suffix.lower() == ".csv":
        labels = {row.path.resolve(): row.label for row in read_rows(source)}
        return {path: labels[path.resolve()] for path in paths if path.resolve() in labels}
    words = source.read_text(encoding="utf-8").split()
    if len(words) != len(paths) or not set(words) <= {"0", "1"}:
        raise DatasetError(f"{source} does not hold one label, 0 or 1, for each of the {len(paths)} images.")
    return dict(zip(paths, map(int, words), strict=True))


def _predicted(
    ensemble: Ensemble, paths: list[Path], combine: Combine, sandbox: Sandbox, talk: Console
) -> list[Prediction]:
    batches = [paths[at : at + _BATCH] for at in range(0, len(paths), _BATCH)]
    found: list[Prediction] = []
    for batch in track(batches, "Predicting", console=talk, transient=True, disable=not talk.is_terminal):
        seen = sandbox.each(_sample, ((path, sandbox.rules.limits) for path in batch))
        samples = [str(one) if isinstance(one, JobError) else one for one in seen]
        readable = [one for one in samples if isinstance(one, ImageSample)]
        numbers = iter(ensemble.probabilities(readable))
        found += [
            Prediction(path, problem=one) if isinstance(one, str) else _prediction(path, next(numbers), combine)
            for path, one in zip(batch, samples, strict=True)
        ]
    return found


def _check_members(ensemble: Ensemble, found: list[Prediction]) -> None:
    """Raise WeightsError where a member measured no image: an ensemble without it would be another one."""
    seen = [one.members for one in found if one.members]
    for place, name in enumerate(ensemble.names):
        if seen and all(np.isnan(members[place]) for members in seen):
            commands = [pull_command(record) for record in of(name) if not record.optional]
            raise WeightsError(f"{name} gave no image a probability; is it trained? {' or '.join(commands)}")


def _prediction(path: Path, members: tuple[float, ...], combine: Combine) -> Prediction:
    probability = combined(np.array(members), combine)
    if np.isnan(probability):
        return Prediction(path, members=members, problem="nothing could be measured.")
    return Prediction(path, probability, members)


def _sample(path: Path, limits: DecodeLimits) -> ImageSample | str:
    """The image, or why its file cannot be read."""
    try:
        return decode(path.read_bytes(), limits)
    except OSError as error:
        return f"it cannot be read: {error.strerror}."


def _label(one: Prediction, threshold: float, combine: Combine) -> str:
    """A majority is more than the threshold, as the contest's entry has it; a tie is none."""
    called = one.probability > threshold if combine == "majority" else one.probability >= threshold
    return UNREADABLE if one.problem else str(int(called))


def _tell(ensemble: Ensemble, found: list[Prediction], labels: list[str]) -> None:
    several = ensemble.names if len(ensemble.names) > 1 else ()
    sys.stdout.write("\t".join(("file", "label", "probability", *several)) + "\n")
    for one, label in zip(found, labels, strict=True):
        numbers = () if one.problem else (one.probability, *(one.members if several else ()))
        sys.stdout.write(
            "\t".join((on_one_line(one.path.name), label, *(f"{number:.4f}" for number in numbers))) + "\n"
        )


if __name__ == "__main__":
    run_command(app)
