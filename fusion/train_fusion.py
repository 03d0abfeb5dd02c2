"""Train a fusion model: `python -m fusion.train_fusion --dataset dataset.csv`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from forensics.errors import UsageError
from forensics.settings import load as load_settings
from fusion.artifacts.artifact import (
    LEARNED_DIGITS,
    LEARNED_FILE,
    MANIFEST_FILE,
    load_artifact,
    to_json,
    write_artifact,
)
from fusion.evaluation.evaluation import FORMAT_GAP
from fusion.evaluation.scored import format_gap
from fusion.evaluation.tables import measures_table
from fusion.training.cache import FeatureCache
from fusion.training.card import model_card
from fusion.training.continual import REGRESSION_FILE, Beginning, added_rows, begin, is_worse, regression, told
from fusion.training.extract import extract
from fusion.training.fit import Fitted, FusionPlan, fit
from fusion.training.heads import head_kinds
from fusion.training.report import TrainingReport, measure, metrics
from fusion.training.sources import SOURCES_FILE, read_licences, sources_page
from fusion.training.table import FeatureTable
from fusion.weighers.weigher import Kind
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import Row, read_datasets, sources_of_test_elsewhere
from img_ml.data.views import training_views
from img_ml.engine.engine import Engine
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

_DATASET, _CLEANED = Path("dataset.csv"), Path("dataset.cleaned.csv")
# A difference of AUC that is worth a word.
CLEARLY = 0.02
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    dataset: Annotated[
        list[Path],
        typer.Option(
            help="CSV with the columns filepath,label,split (source, kind); repeatable. If "
            "scripts.clean_dataset has written a newer cleaned file, that is used instead of dataset.csv."
        ),
    ] = [_DATASET],  # noqa: B006 - typer copies it
    profile: Annotated[str, typer.Option(help="Profile whose detectors are fused.")] = "light",
    add: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="NEW.CSV",
            help="Go on from the artifact in force with these images beside the dataset's; repeatable. What is worse "
            "on its fixed regression set is refused.",
        ),
    ] = None,
    model: Annotated[
        Kind | None,
        typer.Option(help="Kind of fusion model.", show_default="xgboost, or with --add that of the artifact"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the artifact (default: a new trained/PROFILE-MODEL).")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder of the feature cache.")] = Path("features"),
    views: Annotated[int, typer.Option(min=1, max=20, help="Number of random views of each training image.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of views, folds and models.")] = 0,
    skip: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of training rows in which each detector is masked.")
    ] = 0.1,
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DETECTOR=KIND",
            help="Train another head than the detector's own: svm, svm_linear, linear (logistic), mlp; repeatable.",
        ),
    ] = None,
    weigh: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DETECTOR",
            help="Weigh this detector; the others are shown beside the verdict, not weighed. Repeatable; unset: all, "
            "or the networks alone where that is better in cross-validation.",
        ),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns repo,licence: what SOURCES.md says of the dataset's sources."),
    ] = None,
    false_positives: Annotated[
        float, typer.Option(min=0, max=1, help="Share of held-out views of label 0 that may be called AI.")
    ] = 0.01,
    art_positives: Annotated[
        float,
        typer.Option(min=0, max=1, show_default="1/30", help="The same for held-out views of the kind human_art."),
    ] = 1 / 30,
    false_negatives: Annotated[
        float, typer.Option(min=0, max=1, help="Share of held-out views of AI images that may be called NON-AI.")
    ] = 0.05,
) -> None:
    """Train heads and fusion on train and val out of fold, measure them on test, write an artifact.

    Features come from the cache; what it lacks is measured first. Exit codes: 0 done, 1 refused (with --add), 2
    something is wrong with the input, 3 interrupted.
    """
    talk = talk_console()
    with told_errors(talk):
        settings = load_settings(ImgMlSettings)
        chosen = load_profile(profile, settings.model_dir)
        kinds = head_kinds(head or (), chosen.detectors)
        weighed = _weighed(weigh or (), chosen.detectors)
        rows, licences = read_datasets(_cleaned(dataset, talk)), read_licences(sources) if sources is not None else {}
        beginning = begin(chosen, rows) if add else None
        if beginning is not None:
            model, weighed = model or beginning.artifact.model.kind, weighed or beginning.detectors
            rows = [*rows, *_added(add or [], rows, beginning, talk)]
        plan = FusionPlan(
            model or "xgboost",
            views,
            seed,
            false_positives,
            art_positives,
            false_negatives,
            skip,
            kinds,
            weighed,
            beginning.candidate if beginning is not None else None,
        )
        folder = _fresh(Path("trained"), f"{chosen.name}-{plan.model}") if out is None else _usable(out)
        # What is not weighed need not be measured either.
        measured = replace(chosen, detectors=weighed) if weighed else chosen
        engine = Engine(measured, settings.weights_dir, settings.device, settings.device_use)
        _warn(rows, talk)
        table = extract(rows, engine, FeatureCache(cache), training_views(views, seed), talk)
        talk.print(f"Cross-validating on {len(table)} views, folds grouped by source ...")
        fitted = fit(table, plan)
        _tell(fitted, talk)
        if beginning is not None:
            _hold_against(beginning, table, fitted, talk)
        report = measure(fitted)
        _warn_of_formats(table.where(table.split == "test"), talk)
        documents = _documents(chosen.name, fitted, report, plan)
        documents[SOURCES_FILE] = sources_page(table, licences)
        if beginning is not None:
            documents[REGRESSION_FILE] = "\n".join(sorted(beginning.regression)) + "\n"
        write_artifact(folder, chosen.name, fitted.model, fitted.heads, fitted.weights, documents)
        fingerprint = load_artifact(folder).fingerprint
    console = data_console()
    console.print(measures_table("Out of fold on train and val (it chose by these)", report.development))
    if report.test:
        console.print(measures_table(f"Test split, artifact {fingerprint}", report.test))
    talk.print(f"Wrote {folder}", soft_wrap=True, markup=False, highlight=False)


def _added(files: list[Path], rows: Sequence[Row], beginning: Beginning, talk: Console) -> list[Row]:
    new, left_out = added_rows(files, rows, beginning)
    told = f"; {left_out} are left out, for the regression set holds them or their source" if left_out else ""
    talk.print(f"{len(new)} images are added{told}.", markup=False, highlight=False)
    return new


def _hold_against(beginning: Beginning, table: FeatureTable, fitted: Fitted, talk: Console) -> None:
    """Tell how the new model does on the regression set; typer.Exit where it does worse than the one before."""
    change = regression(beginning, table, fitted)
    which = f"Against {beginning.artifact.fingerprint} on the {len(beginning.regression)} images of the regression set"
    talk.print(f"{which}: AUC {told(change)}.", markup=False, highlight=False, soft_wrap=True)
    if is_worse(change):
        talk.print("Refused: it is worse beyond the interval, and nothing was written.", markup=False, highlight=False)
        raise typer.Exit(1)


def _cleaned(datasets: list[Path], talk: Console) -> list[Path]:
    """The datasets; in place of the default one what was kept when it was cleaned, unless it was written since."""
    if datasets != [_DATASET] or not _CLEANED.is_file():
        return datasets
    if _DATASET.is_file() and _DATASET.stat().st_mtime_ns > _CLEANED.stat().st_mtime_ns:
        talk.print(f"{_DATASET} is newer than {_CLEANED}: run python -m scripts.clean_dataset again to train on that.")
        return datasets
    talk.print(f"Training on {_CLEANED}, what scripts.clean_dataset kept of {_DATASET}.")
    return [_CLEANED]


def _weighed(names: Sequence[str], detectors: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(names) - set(detectors))
    if unknown:
        raise UsageError(f"The profile has no {unknown[0]}: --weigh names one of {', '.join(detectors)}.")
    return tuple(sorted(set(names)))


def _warn(rows: Sequence[Row], talk: Console) -> None:
    shared = sources_of_test_elsewhere(rows)
    if shared:
        talk.print(
            f"Warning: {len(shared)} sources stand in test and in train or val too, the first is {shared[0]}: the test "
            "figures will flatter. scripts.make_dataset_csv splits by source.",
            markup=False,
            highlight=False,
        )


def _tell(fitted: Fitted, talk: Console) -> None:
    """What cross-validation chose, and a warning where the plainest kind of model would have been clearly better."""
    chosen, tried = fitted.chosen, fitted.best_by_detectors
    if len(tried) > 1:
        others = ", ".join(f"{value:.3f} with {_told(n)}" for n, value in tried.items() if n != chosen.detectors)
        talk.print(
            f"Weighs {_told(chosen.detectors)}: AUC {chosen.auc:.3f} out of fold, {others}. --weigh chooses otherwise.",
            markup=False,
            highlight=False,
        )
    if fitted.yardstick is not None and fitted.yardstick > chosen.auc + CLEARLY:
        talk.print(
            f"Warning: over the same numbers a logistic regression has an AUC of {fitted.yardstick:.3f} out of fold, "
            f"this model {chosen.auc:.3f}: train with --model logistic.",
            markup=False,
            highlight=False,
        )


def _told(detectors: Sequence[str]) -> str:
    return ", ".join(detectors) if len(detectors) <= 4 else f"all {len(detectors)} detectors"


def _warn_of_formats(held_out: FeatureTable, talk: Console) -> None:
    if len(np.unique(held_out.label)) == 2 and format_gap(held_out) > FORMAT_GAP:
        talk.print(
            "Warning: the file formats of the two classes differ in the test split, so the test figures may measure "
            "the files. Run python -m scripts.audit_dataset before quoting them.",
            markup=False,
            highlight=False,
        )


def _documents(profile: str, fitted: Fitted, report: TrainingReport, plan: FusionPlan) -> dict[str, str]:
    """What stands beside the model, by file name."""
    table = fitted.table
    learned = sorted({image[:LEARNED_DIGITS] for image in table.image[table.split != "test"].tolist()})
    return {
        LEARNED_FILE: "\n".join(learned) + "\n",
        "metrics.json": to_json(metrics(fitted, report, plan)),
        "MODEL_CARD.md": model_card(profile, fitted, report, plan),
        **{f"{name}.svg": text for name, text in report.plots.items()},
    }


def _fresh(parent: Path, name: str) -> Path:
    """The first folder of that name, or with a number after it, that does not exist."""
    place, number = parent / name, 2
    while place.exists():
        place, number = parent / f"{name}-{number}", number + 1
    return place


def _usable(folder: Path) -> Path:
    """The folder; DatasetError where something else than an artifact lies in it, which must not be replaced."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST_FILE).is_file():
        raise UsageError(f"{folder} is not empty and holds no artifact: name another folder for --out.")
    return folder


if __name__ == "__main__":
    run_command(app)
