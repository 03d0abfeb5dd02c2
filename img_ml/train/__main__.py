"""`python -m img_ml.train NETWORK`: train a network that nobody publishes weights of."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from img_ml.command import told_errors
from img_ml.dataset import DatasetError, Row, read_dataset
from img_ml.settings import ImgMlSettings
from img_ml.train.commands import siglip2

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)

app.add_typer(siglip2.app, name="siglip2")


@app.callback()
def main() -> None:
    """Train networks on labelled images, and install them among the weights.

    Exit codes: 0 done, 2 something is wrong with the input, 3 interrupted (the same command goes on).
    """


@app.command()
def ghostnet(
    dataset: Annotated[Path, typer.Option(help="CSV with the columns filepath,label,split (source).")] = Path(
        "dataset.csv"
    ),
    backbone: Annotated[str, typer.Option(help="ghostnet_100, ghostnet_050 or ghostnet_130 of timm.")] = "ghostnet_100",
    steps: Annotated[int, typer.Option(min=1, help="Most steps of training.")] = 20_000,
    batch: Annotated[int, typer.Option(min=2, help="Crops in a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 1e-3,
    check_every: Annotated[int, typer.Option(min=1, help="Steps between two looks at the held-out sources.")] = 500,
    patience: Annotated[int, typer.Option(min=1, help="Looks without a better AUC before it ends.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads that make crops.")] = os.cpu_count() or 1,
    checkpoint: Annotated[
        Path, typer.Option(help="Where the state of the training is kept; it goes on from there.")
    ] = Path("trained/ghostnet.checkpoint.safetensors"),
) -> None:
    """Train GhostNet on noise residuals, and install it for the detector `ghostnet`.

    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at. A fusion should be trained on other images than the networks it weighs.
    """
    with told_errors(talk):
        settings = ImgMlSettings()
        rows = _both_classes(read_dataset(dataset))
        from img_ml.device import choose_device
        from img_ml.train.ghostnet import train_ghostnet
        from img_ml.train.loop import Plan

        plan = Plan(
            steps=steps, batch=batch, learning_rate=learning_rate, check_every=check_every, patience=patience, seed=seed
        )
        device = choose_device(settings.device)
        done = train_ghostnet(rows, backbone, plan, settings.weights_dir, checkpoint, device, threads, talk)
    talk.print(
        f"Installed ghostnet in {settings.weights_dir}: AUC {done.best_auc:.3f} on held-out sources after step "
        f"{done.best_step}."
    )


def _both_classes(rows: Sequence[Row]) -> Sequence[Row]:
    if {row.label for row in rows if row.split != "test"} != {0, 1}:
        raise DatasetError("Training needs images of both labels outside of test.")
    return rows


if __name__ == "__main__":
    app()
