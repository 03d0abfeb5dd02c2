"""The training of an upsampling autoencoder on patches of real images: mean absolute error, sharpened adversarially."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional

from forensics.documents import json_of
from forensics.errors import JobError
from forensics.reading.decode import decode
from forensics.types import Pixels
from img_ml.data.dataset import DatasetError, Row
from img_ml.data.high_frequencies import Differences
from img_ml.networks.autoencoders.latent_diffusion import HALF
from img_ml.networks.autoencoders.patch_discriminator import PatchDiscriminator, discriminator_loss
from img_ml.networks.autoencoders.upsampling import (
    CONFIG,
    TENSORS,
    AutoencoderDesign,
    UpsamplingAutoencoder,
    begin_with,
    save_upsampling_autoencoder,
)
from img_ml.train.autoencoders.psnr import psnr_of
from img_ml.train.checkpoint import Checkpoint
from img_ml.train.classifying import mark_of
from img_ml.train.examples import Batch, Division, Examples, View, to_images
from img_ml.train.loop import Loop, Task
from img_ml.train.plan import TrainingPlan
from img_ml.weights.digest import file_sha256

_HELD_OUT = 0.1
# The discriminator joins once the reconstructions are near enough that details are what it can tell.
_ADVERSARIAL_FROM, _ADVERSARIAL_SHARE = 0.4, 0.01


@dataclass(frozen=True, slots=True)
class AutoencoderWorkspace:
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

    def __init__(self, design: AutoencoderDesign) -> None:
        super().__init__()
        self.autoencoder = UpsamplingAutoencoder(design)
        self.discriminator = PatchDiscriminator() if design.adversarial else None


def train_upsampling_autoencoder(
    design: AutoencoderDesign,
    rows: Sequence[Row],
    plan: TrainingPlan,
    side: int,
    place: AutoencoderWorkspace,
    talk: Console,
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
        talk.print(f"{place.folder} already holds the autoencoder of this training.")
        return done
    validation = division.validation[: plan.max_validation]
    talk.print(
        f"{design.name}: training on {len(division.training)} real images, validating on {len(validation)}; "
        f"on {place.device}."
    )
    torch.manual_seed(plan.seed)
    trained = _Trained(design)
    if place.begun is not None:
        talk.print(f"Initialised {begin_with(trained.autoencoder, place.begun)} tensors from {place.begun}.")
    plan = replace(plan, weight_decay=0.0, betas=(0.9, 0.99), channels_last=True)
    with Examples(division.training, plan.seed, place.threads, patches_of(side)) as examples:
        task = _Reconstructing(trained, examples.fixed(validation).pixels, place, round(_ADVERSARIAL_FROM * plan.steps))
        loop = Loop(task, plan, place.device, talk, low=False)
        loop.run(lambda first, last: examples.batches(first, last, plan.batch), Checkpoint(place.checkpoint, mark))
    reached = task.judged(trained)["psnr"]
    place.folder.mkdir(parents=True, exist_ok=True)
    save_upsampling_autoencoder(trained.autoencoder, place.folder, {"psnr": round(reached, 2), "mark": mark})
    place.checkpoint.unlink(missing_ok=True)
    return reached


def divide_real(rows: Sequence[Row], seed: int) -> Division:
    """The real images of train: a tenth of their sources for validation, the others for training.

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


class _Reconstructing(Task[Batch]):
    """Patches to themselves; the discriminator is fooled from the step `joined` on."""

    def __init__(
        self, trained: _Trained, validation: Pixels | Differences, place: AutoencoderWorkspace, joined: int
    ) -> None:
        super().__init__(trained)
        self._trained, self._shown, self._place, self._joined = trained, validation, place, joined

    def losses(self, batch: Batch, step: int) -> Iterator[Tensor]:
        """See Task."""
        images = to_images(batch.pixels, self._place.device)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._place.bfloat16):
            again, extra = self._trained.autoencoder(images)
        loss = functional.l1_loss(again.float(), images) / HALF + extra.float()
        if self._trained.discriminator is not None:
            loss = loss + _adversarial(self._trained.discriminator, images, again.float(), step >= self._joined)
        yield loss

    def judged(self, network: nn.Module) -> Mapping[str, float]:
        """The PSNR of rounded reconstructions in dB."""
        autoencoder = self._trained.autoencoder

        def again(images: Tensor) -> Tensor:
            rounded: Tensor = autoencoder(images)[0].clamp(0, 2 * HALF).round()
            return rounded

        return {"psnr": psnr_of(autoencoder, again, self._shown, self._place.device)}

    def told(self, figures: Mapping[str, float]) -> str:
        """See Task."""
        return f"PSNR {figures['psnr']:.1f} dB on held-out sources"

    def clip(self) -> None:
        """The autoencoder's gradients alone."""
        nn.utils.clip_grad_norm_(self._trained.autoencoder.parameters(), 1.0)


def _adversarial(discriminator: PatchDiscriminator, images: Tensor, again: Tensor, joined: bool) -> Tensor:
    """The losses of both sides in one sum, each of which reaches the parameters of its own side alone."""
    told: Tensor = discriminator_loss(discriminator(images), discriminator(again.detach()))
    if not joined:
        return told
    discriminator.requires_grad_(False)
    fooled: Tensor = -discriminator(again).mean()
    discriminator.requires_grad_(True)
    return told + _ADVERSARIAL_SHARE * fooled


def _done_before(folder: Path, mark: str) -> float | None:
    """The PSNR of the autoencoder that the folder holds of this very training."""
    try:
        told = json_of((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    finished = told.get("mark") == mark and (folder / TENSORS).is_file()
    return float(told["psnr"]) if finished else None
