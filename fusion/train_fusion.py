"""Train a fusion model: `python -m fusion.train_fusion --dataset dataset.csv`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fusion.artifact import write_artifact
from fusion.command import told_errors
from fusion.dataset import read_dataset
from fusion.extract import extract
from fusion.fit import Plan, fit
from fusion.report import Report, measure
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    dataset: Annotated[Path, typer.Option(help="CSV with the columns filepath,label,split (source, kind).")] = Path(
        "dataset.csv"
    ),
    profile: Annotated[str, typer.Option(help="Profile whose detectors are fused.")] = "light",
    out: Annotated[Path | None, typer.Option(help="Folder for the artifact; trained/PROFILE when not given.")] = None,
    views: Annotated[int, typer.Option(min=1, max=20, help="Random views of each training image.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of views, folds and trees.")] = 0,
    false_positives: Annotated[
        float, typer.Option(min=0, max=1, help="Share of images of label 0 that may be called AI.")
    ] = 0.01,
    false_negatives: Annotated[
        float, typer.Option(min=0, max=1, help="Share of AI images that may be called NON-AI.")
    ] = 0.05,
) -> None:
    """Extract features, choose and train the fusion on train and val, measure it on test, write an artifact."""
    talk = Console(stderr=True)
    with told_errors(talk):
        settings = ImgMlSettings()
        chosen = load_profile(profile, settings.model_dir)
        plan = Plan(views, seed, false_positives, false_negatives)
        table = extract(read_dataset(dataset), chosen.detectors, plan.views, plan.seed)
        talk.print(f"{len(table.label)} views, {len(table.schema.features)} features. Cross-validating by source ...")
        fitted = fit(table, plan)
        report = measure(fitted, table)
        folder = out or Path("trained") / chosen.name
        write_artifact(folder, chosen.name, fitted, report, plan, dataset)
    talk.print(f"Wrote {folder}")
    _show(report)


def _show(report: Report) -> None:
    table = Table("Measure", "Value", "95 % interval", title="Test split", title_justify="left")
    for name, interval in report.test.items():
        table.add_row(name, f"{interval.value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}")
    Console(file=sys.stdout).print(table)


if __name__ == "__main__":
    app()
