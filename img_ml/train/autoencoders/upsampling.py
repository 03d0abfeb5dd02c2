"""The training of an upsampling autoencoder on patches of real images: mean absolute error, sharpened adversarially."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn, optim
from torch.nn import functional

from forensics.errors import JobError
from forensics.reading.decode import decode
from forensics.types import Pixels
from img_ml.data.dataset import DatasetError, Row
from img_ml.networks.autoencoders.latent_diffusion import HALF
from img_ml.networks.autoencoders.patch_discriminator import PatchDiscriminator, discriminator_loss
from img_ml.networks.autoencoders.upsampling import (
    CONFIG,
    TENSORS,
    Design,
    UpsamplingAutoencoder,
    begin_with,
    save_upsampling_autoencoder,
)
from img_ml.train.checkpoint import Progress, read_checkpoint, write_checkpoint
from img_ml.train.examples import Division, Examples, View
from img_ml.train.loop import asked_to_stop, mark_of, progress_bar
from img_ml.train.plan import Plan
from img_ml.weights.digest import file_sha256

_HELD_OUT = 0.1
# The discriminator joins once the reconstructions are near enough that details are what it can tell.
_ADVERSARIAL_FROM, _ADVERSARIAL_SHARE = 0.4, 0.01


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where the training runs and what it writes: the autoencoder's folder, the checkpoint, the device, threads.

    `begun` is the folder of an autoencoder whose layers it begins with; `bfloat16` halves the time where the processor
    computes in it.
    """

    folder: Path
    checkpoint: Path
    device: str
    threads: int
    begun: Path | None = None
    bfloat16: bool = False


class _Trained(nn.Module):
    """What learns: the autoencoder, and the discriminator where there is one."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.autoencoder = UpsamplingAutoencoder(design)
        self.discriminator = PatchDiscriminator() if design.adversarial else None


def train_upsampling_autoencoder(
    design: Design, rows: Sequence[Row], plan: Plan, side: int, place: Workplace, talk: Console
) -> float:
    """Train on patches of `side` pixels, save it in its folder, remove the checkpoint; its PSNR in dB when held out.

    Only rows of kind real and split train take part. A folder that holds the autoencoder already is left as it is.
    Raises DatasetError where the rows do not allow it, KeyboardInterrupt (the checkpoint written) after Ctrl-C.
    """
    division = divide_real(rows, plan.seed)
    begun = "" if place.begun is None else file_sha256(place.begun / TENSORS)
    mark = mark_of(f"upsampling {json.dumps(asdict(design))} {side} {begun}", plan, division)
    done = _done_before(place.folder, mark)
    if done is not None:
        talk.print(f"{place.folder} holds the autoencoder of this training already.")
        return done
    watched = division.watched[: plan.most_watched]
    talk.print(f"{design.name}: {len(division.learned)} real images, {len(watched)} watched; on {place.device}.")
    torch.manual_seed(plan.seed)
    trained = _Trained(design)
    if place.begun is not None:
        talk.print(f"It begins with {begin_with(trained.autoencoder, place.begun)} tensors of {place.begun}.")
    trained = trained.to(place.device).to(memory_format=torch.channels_last)
    with Examples(division.learned, plan.seed, place.threads, patches_of(side)) as examples:
        held_out = examples.fixed(watched).pixels
        _learn(trained, examples, held_out, mark, plan, place, talk)
    reached = psnr(trained.autoencoder, held_out, place.device)
    place.folder.mkdir(parents=True, exist_ok=True)
    save_upsampling_autoencoder(trained.autoencoder, place.folder, {"psnr": round(reached, 2), "mark": mark})
    place.checkpoint.unlink(missing_ok=True)
    return reached


def divide_real(rows: Sequence[Row], seed: int) -> Division:
    """The real images of train: a tenth of their sources is watched, the others are learned from.

    Raises DatasetError where there are fewer than two sources.
    """
    real = [row for row in rows if row.kind == "real" and row.split == "train"]
    sources = sorted({row.source for row in real})
    if len(sources) < 2:
        raise DatasetError(
            f"An autoencoder learns from real images of at least two sources of train, not {len(sources)}."
        )
    drawn = np.random.default_rng(seed).permutation(len(sources))[: max(1, round(_HELD_OUT * len(sources)))]
    aside = {sources[place] for place in drawn.tolist()}
    shuffled = [real[place] for place in np.random.default_rng(seed).permutation(len(real)).tolist()]
    return Division(
        tuple(row for row in real if row.source not in aside), tuple(row for row in shuffled if row.source in aside)
    )


def patches_of(side: int) -> View:
    """Views that are random patches of `side` x `side` pixels as they stand in the file, half of them mirrored.

    Images that are smaller are mirrored on. Raises DatasetError where an image cannot be read.
    """

    def patch(row: Row, index: int, seed: int) -> Pixels:
        try:
            pixels = decode(row.path.read_bytes()).pixels
        except (JobError, OSError) as error:
            raise DatasetError(f"{row.path} cannot be read: {error}") from error
        random = np.random.default_rng([seed, index])
        top, left = (int(random.integers(max(length - side, 0) + 1)) for length in pixels.shape[:2])
        cut = pixels[top : top + side, left : left + side]
        missing = [(0, side - length) for length in cut.shape[:2]]
        whole = np.pad(cut, (*missing, (0, 0)), mode="symmetric")
        return whole[:, ::-1] if index and random.random() < 0.5 else whole

    return patch


def psnr(network: UpsamplingAutoencoder, pixels: Pixels, device: str) -> float:
    """The peak signal-to-noise ratio of the reconstructions in dB, over all of the patches together."""
    network.eval()
    errors = []
    with torch.no_grad():
        for start in range(0, len(pixels), 16):
            images = _images(pixels[start : start + 16], device)
            again = network(images)[0].clamp(0, 2 * HALF).round()
            errors.append((again - images).square().mean(dim=(1, 2, 3)).cpu())
    return 20 * math.log10(255) - 10 * math.log10(max(float(torch.cat(errors).mean()), 1e-9))


def _learn(
    trained: _Trained, examples: Examples, held_out: Pixels, mark: str, plan: Plan, place: Workplace, talk: Console
) -> None:
    optimizer = optim.AdamW(trained.parameters(), lr=plan.learning_rate, weight_decay=0, betas=(0.9, 0.99))
    done, losses = 0, list[float]()
    if place.checkpoint.is_file():
        done = read_checkpoint(place.checkpoint, mark, trained, optimizer)[0].step
        talk.print(f"Going on after step {done}.")
    with asked_to_stop() as stop, progress_bar(talk) as bar:
        task = bar.add_task("Training", total=plan.steps, completed=done)
        for step, batch in enumerate(examples.batches(done, plan.steps, plan.batch), start=done):
            losses.append(_step(trained, optimizer, _images(batch.pixels, place.device), plan, step, place.bfloat16))
            bar.advance(task)
            checked = (step + 1) % plan.check_every == 0 or step + 1 == plan.steps
            if checked:
                reached = psnr(trained.autoencoder, held_out, place.device)
                talk.print(f"Step {step + 1}: loss {np.mean(losses):.4f}, PSNR {reached:.1f} dB on held-out sources")
                losses.clear()
            if checked or stop:
                write_checkpoint(place.checkpoint, mark, Progress(step + 1), trained, optimizer, {})
            if stop:
                raise KeyboardInterrupt


def _step(
    trained: _Trained, optimizer: optim.Optimizer, images: Tensor, plan: Plan, step: int, bfloat16: bool
) -> float:
    # The noise of the bottleneck follows from the step, so that a resumed training is the same.
    torch.manual_seed(plan.seed * 1_000_003 + step)
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate_at(step)
    trained.train()
    optimizer.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
        again, extra = trained.autoencoder(images)
    loss = functional.l1_loss(again.float(), images) / HALF + extra.float()
    if trained.discriminator is not None:
        loss = loss + _adversarial(trained.discriminator, images, again.float(), step >= _ADVERSARIAL_FROM * plan.steps)
    loss.backward()
    nn.utils.clip_grad_norm_(trained.autoencoder.parameters(), 1.0)
    optimizer.step()
    found = float(loss.detach())
    if not math.isfinite(found):
        raise DatasetError("The training diverged, its loss is not finite: take a lower --learning-rate.")
    return found


def _adversarial(discriminator: PatchDiscriminator, images: Tensor, again: Tensor, joined: bool) -> Tensor:
    """The losses of both sides in one sum, each of which reaches the parameters of its own side alone."""
    told: Tensor = discriminator_loss(discriminator(images), discriminator(again.detach()))
    if not joined:
        return told
    discriminator.requires_grad_(False)
    fooled: Tensor = -discriminator(again).mean()
    discriminator.requires_grad_(True)
    return told + _ADVERSARIAL_SHARE * fooled


def _images(pixels: Pixels, device: str) -> Tensor:
    # NHWC as numpy has it is what channels_last means, so nothing is moved.
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()


def _done_before(folder: Path, mark: str) -> float | None:
    """The PSNR of the autoencoder that the folder holds of this very training."""
    try:
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    finished = told.get("mark") == mark and (folder / TENSORS).is_file()
    return float(told["psnr"]) if finished else None
