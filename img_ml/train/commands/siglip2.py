"""`python -m img_ml.train siglip2`: a classifier over SigLIP embeddings, from folders of images to the detector."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from forensics.errors import DatasetError, UsageError
from forensics.settings import load as load_settings
from img_ml.command import data_console, talk_console, told_errors
from img_ml.data.dataset import SPLITS, Row, read_dataset
from img_ml.settings import ImgMlSettings

if TYPE_CHECKING:
    from img_ml.train.embeddings.classifier_file import Facts
    from img_ml.train.embeddings.classifier_scores import Scores
    from img_ml.train.embeddings.folder import Embeddings
    from img_ml.train.embeddings.mlp import Loss, MlpPlan, TrainedMlp

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train a classifier over SigLIP embeddings: extract_embeddings, train, evaluate, hard_mining.",
    # Both --real_images_dir and --real-images-dir, extract_embeddings and extract-embeddings.
    context_settings={"token_normalize_func": lambda token: token.replace("-", "_")},
)
talk = talk_console()

DEFAULT_MODEL = "google/siglip2-so400m-patch14-384"
Folders = Annotated[
    list[Path], typer.Option("--embeddings_dir", help="Folder of embeddings; may be given several times.")
]
ModelPath = Annotated[Path, typer.Option("--model_path", help="The classifier: .pth or .safetensors.")]
Split = Annotated[
    str,
    typer.Option(help="Split to use: train, val, test or all (default: test, or all without a test split)."),
]


@app.command("extract_embeddings")
def extract_embeddings(
    output_dir: Annotated[Path, typer.Option("--output_dir", help="Folder for the embeddings.")],
    real_images_dir: Annotated[Path | None, typer.Option("--real_images_dir", help="Folder of real images.")] = None,
    ai_images_dir: Annotated[Path | None, typer.Option("--ai_images_dir", help="Folder of images by AI.")] = None,
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="CSV with filepath,label,split (source), instead of the folders.")
    ] = None,
    siglip_model: Annotated[
        str, typer.Option("--siglip_model", help="Repository whose weights are installed, or a folder.")
    ] = DEFAULT_MODEL,
    max_real: Annotated[
        int | None, typer.Option("--max_real", min=1, help="Maximum number of real images (of the folder).")
    ] = None,
    max_ai: Annotated[
        int | None, typer.Option("--max_ai", min=1, help="Maximum number of AI images (of the folder).")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="Batch size.")] = 32,
    views: Annotated[
        int,
        typer.Option(
            "--views", min=0, help="Number of random crops and encodings of each image; 0: the image as it is."
        ),
    ] = 0,
    normalize: Annotated[bool, typer.Option("--normalize/--no-normalize", help="Embeddings of unit length.")] = True,
    seed: Annotated[int, typer.Option("--seed", help="Random seed.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads that decode.")] = os.cpu_count() or 1,
) -> None:
    """Embed labelled images: embeddings.npy, labels.npy (0 real, 1 AI), and what they are of.

    Images that cannot be read are left out. An interrupted run goes on where it was.
    """
    with told_errors(talk):
        rows = _rows(real_images_dir, ai_images_dir, dataset, (max_real, max_ai), seed)
        settings = load_settings(ImgMlSettings)
        from img_ml.detectors._siglip_embedder import SiglipEmbedder
        from img_ml.detectors._siglip_source import find_siglip
        from img_ml.engine.device import choose_device
        from img_ml.train.embeddings.extract import Shown, extract
        from img_ml.train.embeddings.folder import Origin

        source = find_siglip(siglip_model, settings.weights_dir)
        embedder = SiglipEmbedder(source, choose_device(settings.device), batch=batch_size, normalize=normalize)
        origin = Origin(source.digest, source.name if source.record else "", normalize, views)
        left_out = extract(rows, embedder, origin, Shown(views, seed), output_dir, batch_size, threads, talk)
    told = f" {left_out} images could not be embedded and were left out." if left_out else ""
    talk.print(f"Embedded {len(rows) - left_out} images into {output_dir}.{told}")


@app.command("train")
def train(
    embeddings_dir: Folders,
    output_path: Annotated[Path, typer.Option("--output_path", help="The classifier: .pth or .safetensors.")] = Path(
        "trained/image_aigc_classifier.pth"
    ),
    install: Annotated[
        bool, typer.Option("--install/--no_install", help="Also install it for the detector `siglip2`.")
    ] = False,
    hidden_dims: Annotated[str, typer.Option("--hidden_dims", help="Sizes of the hidden layers.")] = "512,128",
    dropout: Annotated[float, typer.Option("--dropout", min=0, max=0.95, help="Dropout rate.")] = 0.3,
    loss: Annotated[str, typer.Option("--loss", help="bce or focal.")] = "bce",
    focal_loss: Annotated[bool, typer.Option("--focal_loss", help="The same as --loss focal.")] = False,
    focal_gamma: Annotated[
        float, typer.Option("--focal_gamma", min=0, help="Focusing parameter of the focal loss.")
    ] = 2.0,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Maximum epochs.")] = 30,
    batch_size: Annotated[int, typer.Option("--batch_size", min=2, help="Batch size.")] = 64,
    lr: Annotated[float, typer.Option("--lr", min=0, help="Learning rate.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option("--weight_decay", min=0, help="Weight decay.")] = 1e-4,
    val_split: Annotated[
        float,
        typer.Option("--val_split", min=0.01, max=0.5, help="Validation share where the dataset has no val split."),
    ] = 0.1,
    early_stopping: Annotated[
        int, typer.Option("--early_stopping", min=1, help="Epochs without improvement before early stopping.")
    ] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Random seed.")] = 0,
) -> None:
    """Train the classifier, early stopped by the AUC on the val split or on held-out sources; test is not looked at."""
    with told_errors(talk):
        settings = load_settings(ImgMlSettings)
        from img_ml.engine.device import choose_device
        from img_ml.train.embeddings.classifier_file import (
            SUFFIXES,
            check_installable,
            install_classifier,
            write_classifier,
        )
        from img_ml.train.embeddings.folder import read_embeddings
        from img_ml.train.embeddings.mlp import MlpPlan, divide, train_mlp

        plan = MlpPlan(
            epochs=epochs,
            batch=batch_size,
            learning_rate=lr,
            weight_decay=weight_decay,
            dropout=dropout,
            hidden=_sizes(hidden_dims),
            loss="focal" if focal_loss else _loss(loss),
            focal_gamma=focal_gamma,
            patience=early_stopping,
            seed=seed,
        )
        if output_path.suffix not in SUFFIXES:
            raise UsageError(f"--output_path {output_path} must end in one of {', '.join(SUFFIXES)}.")
        embeddings = read_embeddings(embeddings_dir)
        if install:
            check_installable(embeddings.origin)
        training, validation = divide(embeddings, val_split, seed)
        talk.print(f"Training on {len(training.labels)} embeddings, validating on {len(validation.labels)}.")
        done = train_mlp(training, validation, plan, choose_device(settings.device), talk)
        facts = _facts(training, plan, done)
        write_classifier(output_path, done.state, facts)
        told = f"Wrote {output_path}: validation AUC {done.auc:.3f} after epoch {done.epoch}."
        if install:
            told += f" Installed {install_classifier(settings.weights_dir, embeddings.origin, done.state, facts)}."
    talk.print(told)


@app.command("evaluate")
def evaluate(
    model_path: ModelPath,
    embeddings_dir: Folders,
    threshold: Annotated[float, typer.Option("--threshold", min=0, max=1, help="Scores above it are called AI.")] = 0.5,
    split: Split = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Measure a classifier on embeddings: AUC, and what follows from the threshold."""
    with told_errors(talk):
        from img_ml.train.embeddings.classifier_scores import measures

        embeddings = _of_split(embeddings_dir, split, "test")
        found = measures(_scores(model_path, embeddings), embeddings.labels, threshold)
    if as_json:
        known = {name: None if value != value else value for name, value in found.items()}
        sys.stdout.write(json.dumps(known, indent=2) + "\n")
        return
    table = Table("Measure", "Value")
    for name, value in found.items():
        table.add_row(name, f"{value:.0f}" if name == "images" else f"{value:.4f}")
    data_console().print(table)


@app.command("hard_mining")
def hard_mining(
    model_path: ModelPath,
    embeddings_dir: Folders,
    output_dir: Annotated[Path, typer.Option("--output_dir", help="Folder for the embeddings of the hard images.")],
    threshold_low: Annotated[
        float, typer.Option("--threshold_low", min=0, max=1, help="Lower bound of the scores that count as hard.")
    ] = 0.3,
    threshold_high: Annotated[
        float, typer.Option("--threshold_high", min=0, max=1, help="Upper bound of the scores that count as hard.")
    ] = 0.7,
) -> None:
    """Write out what a classifier scores wrongly, or between both thresholds, as a folder of embeddings of its own.

    `train --embeddings_dir ALL --embeddings_dir HARD` counts those images twice. The test split is not looked at.
    """
    with told_errors(talk):
        if threshold_low > threshold_high:
            raise UsageError("--threshold_low is above --threshold_high.")
        from img_ml.train.embeddings.classifier_scores import hard
        from img_ml.train.embeddings.folder import read_embeddings, write_embeddings

        embeddings = read_embeddings(embeddings_dir)
        embeddings = embeddings.where(embeddings.splits != "test")
        chosen = hard(_scores(model_path, embeddings), embeddings.labels, threshold_low, threshold_high)
        if not chosen.any():
            raise DatasetError("No image is hard for this classifier: nothing was written.")
        found = embeddings.where(chosen)
        write_embeddings(output_dir, found)
    count, ai = len(found.labels), int(found.labels.sum())
    talk.print(f"Wrote {count} of {len(chosen)} embeddings to {output_dir}: {count - ai} real, {ai} AI.")


def _rows(
    real: Path | None, ai: Path | None, dataset: Path | None, most: tuple[int | None, int | None], seed: int
) -> Sequence[Row]:
    if dataset is not None and real is None and ai is None:
        return read_dataset(dataset)
    if dataset is not None or real is None or ai is None:
        raise UsageError("Name both --real_images_dir and --ai_images_dir, or --dataset alone.")
    from img_ml.train.embeddings.extract import rows_of_folders

    return rows_of_folders(real, ai, *most, seed)


def _sizes(told: str) -> tuple[int, ...]:
    sizes = [part.strip() for part in told.replace(" ", ",").split(",") if part.strip()]
    if not sizes or not all(part.isdigit() and int(part) > 0 for part in sizes):
        raise UsageError(f"--hidden_dims is {told!r}: write sizes separated by commas, such as 512,128.")
    return tuple(int(part) for part in sizes)


def _loss(told: str) -> "Loss":
    if told not in ("bce", "focal"):
        raise UsageError(f"--loss is {told!r}: choose bce or focal.")
    return "focal" if told == "focal" else "bce"


def _facts(training: "Embeddings", plan: "MlpPlan", done: "TrainedMlp") -> "Facts":
    return {
        **asdict(training.origin),
        "dimension": int(training.values.shape[1]),
        "hidden": list(plan.hidden),
        "loss": plan.loss,
        "seed": plan.seed,
        "embeddings": len(training.labels),
        "sources": len(set(training.sources.tolist())),
        "epoch": done.epoch,
        "held_out_auc": round(done.auc, 4),
    }


def _of_split(folders: Sequence[Path], split: str, preferred: str) -> "Embeddings":
    from img_ml.train.embeddings.folder import read_embeddings

    embeddings = read_embeddings(folders)
    if split not in ("", "all", *SPLITS):
        raise UsageError(f"--split is {split!r}: choose one of {', '.join(SPLITS)} or all.")
    wanted = split or (preferred if (embeddings.splits == preferred).any() else "all")
    chosen = embeddings if wanted == "all" else embeddings.where(embeddings.splits == wanted)
    if not len(chosen.labels):
        raise DatasetError(f"The folder holds no embeddings of the split {wanted}.")
    talk.print(f"{len(chosen.labels)} embeddings of {'all splits' if wanted == 'all' else wanted}.")
    return chosen


def _scores(model_path: Path, embeddings: "Embeddings") -> "Scores":
    """The classifier's probabilities (n,) of AI."""
    import torch

    from img_ml.engine.device import choose_device
    from img_ml.networks.embedding_mlp import filled, read_classifier, sizes_of
    from img_ml.train.embeddings.mlp import logits_of

    tensors = read_classifier(model_path)
    dimension, hidden = sizes_of(tensors)
    if dimension != embeddings.values.shape[1]:
        raise DatasetError(
            f"{model_path} is for embeddings of {dimension} numbers, not of {embeddings.values.shape[1]}."
        )
    network = filled(tensors, model_path.name, dimension, hidden).to(choose_device(load_settings(ImgMlSettings).device))
    found: Scores = torch.sigmoid(logits_of(network, embeddings.values).double()).numpy()
    return found
