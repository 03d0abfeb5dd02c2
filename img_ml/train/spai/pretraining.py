"""Masked-frequency modelling: the backbone sees one side of a circle in the spectrum and draws the other.

Xie et al., Masked Frequency Modeling for Self-Supervised Visual Pre-Training, ICLR 2023. It is the spectra of real
images that the backbone has to know, so it learns from those alone unless told otherwise. The checkpoint has the names
of the authors' mfm_pretrain_vit_base.pth, so `train --pretrained` takes either.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn

from img_ml.data.dataset import Row
from img_ml.networks.spai.backbone import Backbone
from img_ml.networks.spai.frequencies import centred_mask
from img_ml.networks.spai.sizes import VitSizes
from img_ml.train.spai.checkpoints import EpochProgress
from img_ml.train.spai.config import Config, FrequencyLossConfig
from img_ml.train.spai.crops import CropBatch, Epochs
from img_ml.train.spai.rows import divided_for_spectra, some
from img_ml.train.spai.training import SpaiTask, mark_of, run, steps_per_epoch
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD

# Validation crops go through the network so many at once.
TOGETHER = 32


class NormedBackbone(Backbone):
    """The backbone with a norm after its last block, as it is pre-trained."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__(sizes)
        self.norm = nn.LayerNorm(sizes.width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, 3, side, side), normalised, to features (n, width, grid, grid)."""
        for tokens in self.layers(images):
            last = tokens
        squares: Tensor = self.norm(last)[:, 1:].transpose(1, 2)
        return squares.reshape(len(images), -1, self.sizes.grid, self.sizes.grid)


class MaskedFrequencyModel(nn.Module):
    """An encoder and one convolution that draws every square of the image from its token."""

    mean: Tensor
    deviation: Tensor
    inside: Tensor

    def __init__(self, sizes: VitSizes, radius: int, loss: FrequencyLossConfig) -> None:
        super().__init__()
        self.encoder = NormedBackbone(sizes)
        self.decoder = nn.Sequential(nn.Conv2d(sizes.width, 3 * sizes.patch**2, 1), nn.PixelShuffle(sizes.patch))
        self._loss = loss
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.register_buffer("inside", centred_mask(sizes.side, radius).float(), persistent=False)
        self.encoder.begin()

    def forward(self, images: Tensor, low: Tensor) -> Tensor:
        """The loss of images (n, 3, side, side) in [0, 1]; of those where `low` (n,) is true the low ones are seen."""
        seen = torch.where(low[:, None, None, None], self.inside, 1 - self.inside)
        kept = torch.fft.ifftshift(seen, dim=(-2, -1))
        shown = torch.fft.ifft2(torch.fft.fft2(images) * kept).real.clamp(0, 1)
        drawn = self.decoder(self.encoder((shown - self.mean) / self.deviation)).float()
        distance = frequency_distance(drawn, (images - self.mean) / self.deviation, self._loss)
        hidden = 1 - kept
        loss: Tensor = (distance * hidden).sum() / (3 * hidden.sum())
        return loss


def frequency_distance(drawn: Tensor, wanted: Tensor, loss: FrequencyLossConfig) -> Tensor:
    """How far two batches of images (n, 3, s, s) are apart at every frequency, zero frequency first.

    With WITH_MATRIX, frequencies far apart weigh more (the focal frequency loss of Jiang et al., ICCV 2021).
    """
    difference = torch.fft.fft2(drawn - wanted, norm="ortho")
    # The square root has no slope at zero.
    distance: Tensor = (difference.real**2 + difference.imag**2 + 1e-12) ** 0.5
    powered: Tensor = distance**loss.LOSS_GAMMA
    if not loss.WITH_MATRIX:
        return powered
    weight = distance.detach() ** loss.MATRIX_GAMMA
    return powered * weight / weight.amax(dim=(-2, -1), keepdim=True).clamp_min(1e-12)


class Drawing(SpaiTask):
    """Crops against what the network draws of them."""

    decides = ("val/negative_loss",)

    def __init__(
        self, network: MaskedFrequencyModel, validation: Epochs, config: Config, steps_per_epoch: int, device: str
    ) -> None:
        super().__init__(network, config.PRETRAIN, steps_per_epoch, device)
        self._share = config.DATA.SAMPLE_RATIO
        # The validation crops and their sides are always the same.
        self._validation = [batch.crops[:, 0] for batch in validation.batches(0)]

    def parts(self, batch: CropBatch) -> Iterator[Tensor]:
        """One for each view, divided by how many there are."""
        views = batch.crops.unbind(1)
        for view in views:
            yield self.network(view, torch.rand(len(view)).to(view.device) < self._share) / len(views)

    def validation(self) -> Mapping[str, float]:
        """The validation loss, with its sign turned."""
        total, count = 0.0, 0
        for crops in self._validation:
            low = torch.arange(len(crops)) % 2 == 0
            total += float(self.network(crops.to(self._device), low.to(self._device))) * len(crops)
            count += len(crops)
        return {"val/negative_loss": -total / count}


def pretrain(
    rows: Sequence[Row], config: Config, folder: Path, device: str, talk: Console, *, keep_all: bool
) -> EpochProgress:
    """Train the backbone into the folder, going on where it holds a part of this training.

    Raises DatasetError where the rows hold nothing to learn from.
    """
    data = config.DATA
    division = divided_for_spectra(rows, data, config.SEED)
    torch.manual_seed(config.SEED)
    network = MaskedFrequencyModel(config.sizes.vit, data.MASK_RADIUS1, config.MODEL.FREQ_LOSS)
    few = {"AUGMENTED_VIEWS": 1, "BATCH_SIZE": TOGETHER, "IMAGES_PER_EPOCH": None}
    validation = some(division.validation, data.MOST_WATCHED, config.SEED)
    shown = Epochs(validation, data.model_copy(update=few), config.SEED)
    kind = "real images" if data.PRETRAIN_ON == "real" else "images"
    talk.print(f"Training on {len(division.training)} {kind}, validating on {len(division.validation)}; on {device}.")
    epochs, train = Epochs(division.training, config.DATA, config.SEED), config.PRETRAIN
    task = Drawing(network, shown, config, steps_per_epoch(epochs, train), device)
    mark = mark_of("pretrain", config, division, "")
    return run(task, config, train, epochs, folder, mark, device, talk, keep_all=keep_all)
