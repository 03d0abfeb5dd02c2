"""Measure artifacts on a dataset: `python -m fusion.evaluate ARTIFACT dataset.csv`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from forensics.errors import DatasetError, UsageError
from forensics.files import write_atomically
from forensics.registry import TIERS, get
from forensics.settings import load as load_settings
from fusion.artifacts.artifact import Artifact, load_artifact, to_json
from fusion.artifacts.weights_binding import share_weights
from fusion.evaluation.conditions import AS_IS, CONDITIONS
from fusion.evaluation.evaluation import evaluate, warnings_of
from fusion.evaluation.page import page
from fusion.evaluation.scores import as_csv, as_parquet, scores
from fusion.evaluation.single_detectors import SingleDetector, alone
from fusion.evaluation.tables import as_json, comparisons, finite, tables
from fusion.training.cache import FeatureCache, image_key
from fusion.training.extract import extract
from fusion.training.table import FeatureTable
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import SPLITS, Row, check_files, read_rows
from img_ml.engine.engine import Engine
from img_ml.profiles import BUILT_IN, Profile, load_profile
from img_ml.settings import PACKAGED_MODELS, ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    paths: Annotated[list[Path], typer.Argument(metavar="ARTIFACT... DATASET.CSV", show_default=False)],
    split: Annotated[str, typer.Option(help="Split to evaluate: train, val, test or all.")] = "test",
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.html.")] = Path("report"),
    cache: Annotated[Path, typer.Option(help="Folder of the feature cache.")] = Path("features"),
    profile: Annotated[
        str | None, typer.Option(help="Profile whose weights and options are used (default: that of the artifact).")
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="DETECTOR", help="A detector to measure by itself beside them; repeatable."),
    ] = None,
) -> None:
    """Measure one or several artifacts on the images of a split, as they are and under everyday changes.

    Tables on stdout; report.json, report.html (one file, no network) and each image's scores (scores.csv,
    scores.parquet) in the folder. Exit codes: 0 done, 2 something is wrong with the input, 3 interrupted.
    """
    talk = talk_console()
    with told_errors(talk):
        if len(paths) < 2:
            raise UsageError("Name at least one artifact, then a dataset.csv.")
        *folders, dataset = paths
        _check_order(folders, dataset)
        like = None if profile is None else load_profile(profile, load_settings(ImgMlSettings).model_dir)
        artifacts = {name: load_artifact(folder) for name, folder in _named(folders).items()}
        rows = rows_of(dataset, split)
        like = like or _like(list(artifacts.values()))
        table = _measured(list(artifacts.values()), rows, like, FeatureCache(cache), talk)
        others = measured_alone(beside or [], rows, like, FeatureCache(cache), talk)
        talk.print("Measuring ...")
        found = [evaluate(name, artifact, table, _inherited(artifact)) for name, artifact in artifacts.items()]
        files = {image_key(row.path.read_bytes()): row.path for row in rows}
        content = {"dataset": dataset.name, "split": split, "artifacts": [as_json(one) for one in found]}
        content["detectors"] = finite([asdict(one) for one in others])
        content["comparisons"] = finite([asdict(one) for one in comparisons(found)])
        write_atomically(out / "report.json", to_json(content))
        write_atomically(out / "report.html", page(found, dataset, split, others, files))
        by_image = scores({one.artifact: one.plain for one in found}, files)
        write_atomically(out / "scores.csv", as_csv(by_image))
        write_atomically(out / "scores.parquet", as_parquet(by_image))
    console = data_console()
    for one in tables(found, others):
        console.print(one)
    for warning in warnings_of(found):
        talk.print(f"Warning: {warning}", markup=False, highlight=False)
    talk.print(
        f"Wrote {out / 'report.html'} and {out / 'report.json'}; each image's scores are in {out / 'scores.csv'} and "
        ".parquet",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


def _check_order(folders: list[Path], dataset: Path) -> None:
    for folder in folders:
        if folder.is_file():
            raise UsageError(f"{folder} is a file, not an artifact's folder: name the artifacts first, the CSV last.")
    if dataset.is_dir():
        raise UsageError(f"{dataset} is a folder, not a CSV: name the artifacts first, the dataset's CSV last.")


def _inherited(artifact: Artifact) -> frozenset[str]:
    """The images that the packaged networks learned from, where the artifact weighs one of them."""
    packaged = load_artifact(PACKAGED_MODELS / TIERS[0])
    return packaged.learned if share_weights(artifact.weights, packaged.weights) else frozenset()


def _named(folders: list[Path]) -> dict[str, Path]:
    """The artifacts by folder name; by whole path where two folders are called alike."""
    names = [folder.resolve().name for folder in folders]
    unique = len(set(names)) == len(names)
    return {name if unique else str(folder): folder for name, folder in zip(names, folders, strict=True)}


def rows_of(dataset: Path, split: str) -> list[Row]:
    """The rows of a split, files and both classes checked; DatasetError where they do not do."""
    if split not in (*SPLITS, "all"):
        raise UsageError(f"There is no split {split!r}: name train, val, test or all.")
    rows = [row for row in read_rows(dataset) if split in (row.split, "all")]
    check_files(dataset, rows)
    if {row.label for row in rows} != {0, 1}:
        raise DatasetError(
            f"The split {split} of {dataset} does not hold images of both classes: name another with --split."
        )
    return rows


def _like(artifacts: list[Artifact]) -> Profile:
    """The built-in profile of the artifacts, whose sizes of weights count."""
    # A profile of the user's own is known by its file alone, not by the name that an artifact notes.
    built_in = next((artifact.profile for artifact in artifacts if artifact.profile in BUILT_IN), TIERS[-1])
    return load_profile(built_in, load_settings(ImgMlSettings).model_dir)


def _measured(
    artifacts: list[Artifact], rows: list[Row], like: Profile, cache: FeatureCache, talk: Console
) -> FeatureTable:
    """Every image under every condition, through the detectors that the artifacts weigh."""
    names = {feature.detector for artifact in artifacts for feature in artifact.model.schema.features}
    return extract(rows, _engine(names, like), cache, lambda row, key: tuple(CONDITIONS.values()), talk)


def measured_alone(
    names: list[str], rows: list[Row], like: Profile, cache: FeatureCache, talk: Console
) -> list[SingleDetector]:
    """The rows of detectors by themselves, on the images as they are.

    Raises DatasetError where one gives no probability of AI by itself, or cannot be loaded.
    """
    for name in names:
        if get(name).spec.probability is None:
            raise UsageError(f"{name} gives no probability of AI.")
    if not names:
        return []
    engine = _engine(set(names), replace(like, tier=TIERS[-1]))
    for name, reason in engine.missing.items():
        raise DatasetError(f"{name} cannot be measured: {reason}")
    found = alone(extract(rows, engine, cache, lambda row, key: (CONDITIONS[AS_IS],), talk))
    measured = {one.name for one in found}
    for name in names:
        number = get(name).spec.probability
        if number is not None and number.name not in measured:
            raise UsageError(f"{name} gives no probability of AI by itself: train a fusion on it.")
    return found


def _engine(names: set[str], like: Profile) -> Engine:
    settings = load_settings(ImgMlSettings)
    chosen = Profile(
        "evaluation", tuple(sorted(names)), like.artifact, like.tier, like.options, as_published=like.as_published
    )
    return Engine(chosen, settings.weights_dir, settings.device, settings.device_use)


if __name__ == "__main__":
    run_command(app)
