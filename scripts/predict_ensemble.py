"""`python -m scripts.predict_ensemble --votes 7 [DIR]`: the contest's ensemble by the name of its own command."""

from pathlib import Path
from typing import Annotated

import typer

from img_ml.command import run_command
from img_ml.ensemble import ENSEMBLED
from scripts.predict import CombineOption, FlipsOption, Truth, Votes, predict

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def ensemble(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of images.", show_default="data")] = Path(
        "data"
    ),
    votes: Votes = 7,
    flips: FlipsOption = "horizontal",
    combine: CombineOption = "logits",
    threshold: Annotated[
        float,
        typer.Option(
            "--thresh", "--threshold", min=0, max=1, help="Probability at or above which an image is called AI."
        ),
    ] = 0.5,
    out: Annotated[Path, typer.Option(help="One label a line, 1 is AI.")] = Path("out/result.txt"),
    truth: Truth = None,
) -> None:
    """Label every image of a folder by all three networks; the same as `scripts.predict --app ensembled`."""
    predict(ENSEMBLED, folder, votes, flips, combine, out, threshold, truth)


if __name__ == "__main__":
    run_command(app)
