"""A small AutoencoderKL of diffusers, trained on the real images of a dataset: mean absolute error and a little KL."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn, optim
from torch.nn import functional

from forensics.types import Pixels
from img_ml.data.dataset import DatasetError, Row
from img_ml.networks.autoencoders.latent_diffusion import CONFIG, HALF, TENSORS, load_autoencoder, reconstructed
from img_ml.train.checkpoint import Progress, read_checkpoint, write_checkpoint
from img_ml.train.examples import Division, Examples, divide, native_crops_of
from img_ml.train.loop import asked_to_stop, mark_of
from img_ml.train.plan import Plan
from img_ml.train.recipe import Place
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


def train_autoencoder(shape: Shape, rows: Sequence[Row], plan: Plan, place: Place, talk: Console) -> float:
    """Train on the real images outside test, and install it; the PSNR in dB on real images of held-out sources.

    Raises DatasetError where the rows do not allow it, KeyboardInterrupt (the checkpoint written) after Ctrl-C.
    """
    division = divide(rows, plan.seed)
    real = Division(*(tuple(row for row in side if not row.label) for side in (division.learned, division.watched)))
    watched = real.watched[: plan.most_watched]
    talk.print(f"{len(real.learned)} real images to learn from, {len(watched)} others are watched; on {place.device}.")
    torch.manual_seed(plan.seed)
    network = small_autoencoder(shape).to(place.device)
    with Examples(real.learned, plan.seed, place.threads, native_crops_of(shape.side)) as examples:
        held_out = examples.fixed(watched).pixels
        _learn(network, examples, held_out, mark_of(f"{RECORD} {shape}", plan, real), plan, place, talk)
    install(find(RECORD), place.weights, "trained here", lambda folder: _saved(network, folder))
    place.checkpoint.unlink(missing_ok=True)
    return psnr(network, held_out, place.device)


def _learn(
    network: "AutoencoderKL", examples: Examples, held_out: Pixels, mark: str, plan: Plan, place: Place, talk: Console
) -> None:
    optimizer = optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=0)
    done, losses = 0, list[float]()
    if place.checkpoint.is_file():
        done = read_checkpoint(place.checkpoint, mark, network, optimizer)[0].step
        talk.print(f"Going on after step {done}.")
    with asked_to_stop() as stop:
        for step, batch in enumerate(examples.batches(done, plan.steps, plan.batch), start=done):
            losses.append(_step(network, optimizer, _images(batch.pixels, place.device), plan, step))
            checked = (step + 1) % plan.check_every == 0 or step + 1 == plan.steps
            if checked:
                _say(talk, step + 1, losses, psnr(network, held_out, place.device))
                losses.clear()
            if checked or stop:
                write_checkpoint(place.checkpoint, mark, Progress(step + 1), network, optimizer, {})
            if stop:
                raise KeyboardInterrupt


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


def psnr(network: nn.Module, pixels: Pixels, device: str) -> float:
    """The peak signal-to-noise ratio of the reconstructions in dB, over all of the images together."""
    network.eval()
    errors = []
    with torch.no_grad():
        for start in range(0, len(pixels), 16):
            images = _images(pixels[start : start + 16], device)
            errors.append((reconstructed(network, images) - images).square().mean(dim=(1, 2, 3)).cpu())
    return 20 * math.log10(255) - 10 * math.log10(max(float(torch.cat(errors).mean()), 1e-9))


def _step(network: "AutoencoderKL", optimizer: optim.Optimizer, images: Tensor, plan: Plan, step: int) -> float:
    # What is drawn from the latent distribution follows from the step, so that a resumed training is the same.
    torch.manual_seed(plan.seed * 1_000_003 + step)
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate_at(step)
    network.train()
    given = images / HALF - 1
    latent = network.encode(given).latent_dist
    again: Tensor = network.decode(latent.sample()).sample
    loss = functional.l1_loss(again, given) + _KL_SHARE * latent.kl().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    found = float(loss.detach())
    if not math.isfinite(found):
        raise DatasetError("The training diverged, its loss is not finite: take a lower --learning-rate.")
    return found


def _images(pixels: Pixels, device: str) -> Tensor:
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()


def _saved(network: "AutoencoderKL", folder: Path) -> str:
    network.save_pretrained(folder)
    return ""


def _say(talk: Console, step: int, losses: Sequence[float], reached: float) -> None:
    talk.print(f"Step {step}: loss {np.mean(losses):.4f}, PSNR {reached:.1f} dB on held-out sources")
