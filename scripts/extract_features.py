"""Measure a dataset's features ahead of training: `python -m scripts.extract_features dataset.csv --profile light`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from forensics.settings import load as load_settings
from fusion.training.cache import FeatureCache
from fusion.training.extract import extract
from fusion.training.table import FeatureTable
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import read_datasets
from img_ml.data.views import training_views
from img_ml.engine.engine import Engine
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    dataset: Annotated[list[Path], typer.Argument(metavar="DATASET.CSV...")] = [Path("dataset.csv")],  # noqa: B006
    profile: Annotated[str, typer.Option(help="Profile whose detectors measure.")] = "light",
    cache: Annotated[Path, typer.Option(help="Folder of the feature cache.")] = Path("features"),
    views: Annotated[int, typer.Option(min=1, max=20, help="Number of random views of each training image.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the views.")] = 0,
) -> None:
    """Fill the feature cache with what training will ask for, on all cores or in batches on the device.

    Whatever the cache holds is not measured again: after a kill the same command goes on where it was, and after a
    change of one detector only that one runs. Exit codes: 0 done, 2 something is wrong with the input, 3 interrupted.
    """
    talk = talk_console()
    with told_errors(talk):
        settings = load_settings(ImgMlSettings)
        engine = Engine(
            load_profile(profile, settings.model_dir), settings.weights_dir, settings.device, settings.device_use
        )
        table = extract(read_datasets(dataset), engine, FeatureCache(cache), training_views(views, seed), talk)
    data_console().print(_summary(table))
    talk.print(f"The features are in {cache}", soft_wrap=True, markup=False, highlight=False)


def _summary(table: FeatureTable) -> Table:
    shown = Table("Detector", "Version", "Features", "Views measured", title=f"{len(table)} views")
    owner = np.array([feature.detector for feature in table.schema.features])
    versions = {feature.detector: feature.detector_version for feature in table.schema.features}
    for name in sorted(versions):
        values = table.values[:, owner == name]
        measured = float(np.mean(~np.isnan(values).all(axis=1)))
        shown.add_row(name, str(versions[name]), str(values.shape[1]), f"{measured:.1%}")
    return shown


if __name__ == "__main__":
    run_command(app)
