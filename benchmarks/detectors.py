"""What each detector is worth by itself: `python -m benchmarks.detectors dataset.csv --with DETECTOR ...`.

The probabilities of detectors whose weights are installed, on val and on test, with the intervals of fusion.evaluate.
docs/results.md shows the committed result.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.support.command import orderly, talk
from benchmarks.support.result_file import RESULTS, write_result
from forensics.settings import load as load_settings
from fusion.evaluate import measured_alone, rows_of
from fusion.evaluation.single_detectors import SingleDetector
from fusion.evaluation.tables import alone_table, finite
from fusion.training.cache import FeatureCache
from img_ml.command import data_console, run_command
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def detectors(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET.CSV")],
    beside: Annotated[list[str], typer.Option("--with", metavar="DETECTOR", help="May be repeated.")],
    profile: Annotated[str, typer.Option(help="Profile whose sizes of weights and options count.")] = "full",
    cache: Annotated[Path, typer.Option(help="Folder of the feature cache.")] = Path("features"),
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Measure detectors alone on val and test; tables on stdout, and a result file."""
    with orderly():
        like = load_profile(profile, load_settings(ImgMlSettings).model_dir)
        found: dict[str, list[SingleDetector]] = {}
        for split in ("val", "test"):
            rows = rows_of(dataset, split)
            found[split] = measured_alone(beside, rows, like, FeatureCache(cache), talk)
            data_console().print(alone_table(found[split], f"{split}: single detectors, 95 % over sources"))
        content = {split: finite([asdict(one) for one in rows]) for split, rows in found.items()}
        write_result("detectors", content, talk, out)


if __name__ == "__main__":
    run_command(app)
