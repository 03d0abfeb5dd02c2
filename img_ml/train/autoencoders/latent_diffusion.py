"""A small AutoencoderKL of diffusers, trained on the real images of a dataset: mean absolute error and a little KL."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional

from forensics.types import Pixels
from img_ml.data.dataset import DatasetError, Row
from img_ml.data.high_frequencies import Differences
from img_ml.networks.autoencoders.latent_diffusion import CONFIG, HALF, TENSORS, load_autoencoder, reconstructed
from img_ml.train.autoencoders.psnr import psnr_of
from img_ml.train.checkpoint import Checkpoint
from img_ml.train.classifying import mark_of
from img_ml.train.examples import Batch, Division, Examples, divide, native_crops_of, to_images
from img_ml.train.loop import Loop, Task
from img_ml.train.plan import TrainingPlan
from img_ml.train.recipe import TrainingWorkspace
from img_ml.weights.store import install
from img_ml.weights.table import find

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

RECORD = "autoencoder"
# Latent images are held near a normal distribution by as much as the published autoencoders are.
_KL_SHARE = 1e-6
_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """Channels of its levels, each half as large as the one before, and the side of the crops it learns from."""

    channels: tuple[int, ...] = (32, 64, 64)
    side: int = 128


def small_autoencoder(shape: Shape) -> "AutoencoderKL":
    """An AutoencoderKL with one block a level and no attention, with random weights."""
    from diffusers import AutoencoderKL

    levels = len(shape.channels)
    return AutoencoderKL(
        block_out_channels=shape.channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=_GROUPS,
        mid_block_add_attention=False,
        sample_size=shape.side,
    )


def train_autoencoder(
    shape: Shape, rows: Sequence[Row], plan: TrainingPlan, place: TrainingWorkspace, talk: Console
) -> float:
    """Train on the real images outside test, and install it; the PSNR in dB on real images of held-out sources.

    Raises DatasetError where the rows do not allow it, KeyboardInterrupt (the checkpoint written) after Ctrl-C.
    """
    division = divide(rows, plan.seed)
    real = Division(*(tuple(row for row in side if not row.label) for side in (division.training, division.validation)))
    validation = real.validation[: plan.max_validation]
    talk.print(
        f"Training on {len(real.training)} real images, validating on {len(validation)} others; on {place.device}."
    )
    torch.manual_seed(plan.seed)
    network = small_autoencoder(shape)
    kept = Checkpoint(place.checkpoint, mark_of(f"{RECORD} {shape}", plan, real))
    plan = replace(plan, weight_decay=0.0)
    with Examples(real.training, plan.seed, place.threads, native_crops_of(shape.side)) as examples:
        task = _Reconstructing(network, examples.fixed(validation).pixels, place.device)
        loop = Loop(task, plan, place.device, talk, low=False)
        loop.run(lambda first, last: examples.batches(first, last, plan.batch), kept)
    install(find(RECORD), place.weights, "trained here", lambda folder: _saved(network, folder))
    place.checkpoint.unlink(missing_ok=True)
    return task.judged(network)["psnr"]


class _Reconstructing(Task[Batch]):
    """Images to themselves: mean absolute error, and a little KL."""

    def __init__(self, network: "AutoencoderKL", validation: Pixels | Differences, device: str) -> None:
        super().__init__(network)
        self._autoencoder, self._shown, self._device = network, validation, device

    def losses(self, batch: Batch, step: int) -> Iterator[Tensor]:
        """See Task."""
        given = to_images(batch.pixels, self._device) / HALF - 1
        latent = self._autoencoder.encode(given).latent_dist
        again: Tensor = self._autoencoder.decode(latent.sample()).sample
        yield functional.l1_loss(again, given) + _KL_SHARE * latent.kl().mean()

    def judged(self, network: nn.Module) -> Mapping[str, float]:
        """The PSNR in dB."""
        return {"psnr": psnr_of(network, lambda images: reconstructed(network, images), self._shown, self._device)}

    def told(self, figures: Mapping[str, float]) -> str:
        """See Task."""
        return f"PSNR {figures['psnr']:.1f} dB on held-out sources"


def adopt_autoencoder(folder: Path, weights: Path) -> None:
    """Install the autoencoder of a folder in the layout of diffusers; WeightsError where it cannot be used."""
    missing = [name for name in (CONFIG, TENSORS) if not (folder / name).is_file()]
    if missing:
        raise DatasetError(f"{folder} holds no {missing[0]}: name the folder of an AutoencoderKL saved by diffusers.")
    load_autoencoder(folder, str(folder))

    def copied(stage: Path) -> str:
        for name in (CONFIG, TENSORS):
            shutil.copyfile(folder / name, stage / name)
        return ""

    install(find(RECORD), weights, str(folder), copied)


def _saved(network: "AutoencoderKL", folder: Path) -> str:
    network.save_pretrained(folder)
    return ""
