"""`python -m img_ml.train aekl_clf`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensics.settings import load as load_settings
from img_ml.settings import ImgMlSettings
from img_ml.train.commands import shared as command
from img_ml.train.commands.aekl import installed_autoencoder
from img_ml.train.plan import TrainingPlan

if TYPE_CHECKING:
    from img_ml.train.recipe import Recipe

# The entry's highest learning rates are 1e-5 for the encoder, 1e-4 for quant_conv and 1e-3 for the layers over them.
_SHARES = (("encoder.", 0.01), ("quant_conv.", 0.1))


def aekl_clf(
    dataset: command.DatasetFile = command.DATASET,
    autoencoder: Annotated[
        Path | None,
        typer.Option(help="Folder of an AutoencoderKL in the layout of diffusers; an installed one when not given."),
    ] = None,
    steps: command.Steps = 10_000,
    batch: command.BatchSize = 4,
    learning_rate: command.LearningRate = 1e-3,
    check_every: command.CheckEvery = 500,
    patience: command.Patience = 8,
    seed: command.Seed = 0,
    threads: command.Threads = None,
    checkpoint: command.Checkpoint = None,
    install: command.Install = True,
) -> None:
    """Fine-tune an autoencoder's encoder with a classifier over its latent image, for the detector `aekl_clf`.

    As the contest entry does: images of 256 pixels with values in [0, 1], the encoder at a hundredth of the learning
    rate. It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split
    is not looked at.
    """

    def recipe() -> "Recipe":
        return _recipe(autoencoder, load_settings(ImgMlSettings).weights_dir)

    plan = TrainingPlan(
        steps=steps,
        batch=batch,
        learning_rate=learning_rate,
        check_every=check_every,
        patience=patience,
        seed=seed,
        rate_shares=_SHARES,
    )
    command.run("aekl_clf", dataset, plan, recipe, checkpoint, threads, install)


def _recipe(given: Path | None, weights: Path) -> "Recipe":
    from img_ml.networks.autoencoders.latent_classifier import SIDE, LatentClassifier
    from img_ml.networks.autoencoders.latent_diffusion import load_autoencoder
    from img_ml.train.examples import resized_to
    from img_ml.train.recipe import Facts, Recipe

    found = installed_autoencoder(given, weights)
    network = load_autoencoder(found.folder, found.record.name)
    facts: Facts = {"side": SIDE, "autoencoder": json.dumps(architecture_of(network.config))}
    return Recipe("aekl_clf", LatentClassifier(network).requires_grad_(True), facts, resized_to(SIDE))


def architecture_of(config: "dict[str, object]") -> dict[str, object]:
    """What diffusers needs to build the autoencoder again; what it notes of itself is left out."""
    return {name: value for name, value in dict(config).items() if not name.startswith("_")}
