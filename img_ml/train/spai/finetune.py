"""Training of SPAI on top of a frozen backbone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from forensics.errors import WeightsError
from img_ml.data.dataset import DatasetError, Row
from img_ml.networks.spai.network import VERSION, Spai, load_backbone, spai_of
from img_ml.train.spai import checkpoints
from img_ml.train.spai.checkpoints import EpochProgress
from img_ml.train.spai.config import Config
from img_ml.train.spai.crops import CropBatch, Epochs
from img_ml.train.spai.rows import divided, some
from img_ml.train.spai.scoring import figures, on_host, scores
from img_ml.train.spai.training import SpaiTask, mark_of, run, steps_per_epoch
from img_ml.weights.adopt import apart
from img_ml.weights.digest import file_sha256
from img_ml.weights.store import install
from img_ml.weights.table import find

NAME = "spai"


class Detecting(SpaiTask):
    """Views of an image, seen as the patches of one, to its probability; validation is on whole images."""

    decides = ("val/auc",)

    def __init__(
        self, network: Spai, validation: Sequence[Row], config: Config, steps_per_epoch: int, device: str
    ) -> None:
        super().__init__(network, config.TRAIN, steps_per_epoch, device)
        self._spai, self._validation, self._batch = network, validation, config.MODEL.FEATURE_EXTRACTION_BATCH

    def parts(self, batch: CropBatch) -> Iterator[Tensor]:
        """One for all views of the images: the attention weighs them against each other, as it does patches."""
        logits = self._spai.logits(batch.crops).float()
        yield functional.binary_cross_entropy_with_logits(logits, batch.labels)

    def validation(self) -> Mapping[str, float]:
        """Accuracy, average precision, AUC and loss of the validation images."""
        network = on_host(self._spai)
        found = list(scores(network, [row.path for row in self._validation], self._device, self._batch))
        broken = next((one for one in found if one.problem), None)
        if broken is not None:
            raise DatasetError(f"{broken.path} cannot be read: {broken.problem}")
        told = figures([row.label for row in self._validation], [one.probability for one in found])
        return {f"val/{name}": value for name, value in told.items()}


def finetune(
    rows: Sequence[Row], config: Config, pretrained: Path, folder: Path, device: str, talk: Console, *, keep_all: bool
) -> EpochProgress:
    """Train into the folder, going on where it holds a part of this training.

    Raises WeightsError where the pre-trained file does not fit, DatasetError where the rows or settings do not.
    """
    division = divided(rows, config.DATA.WATCHED, config.SEED)
    training, validation = (len({row.source for row in side}) for side in (division.training, division.validation))
    talk.print(
        f"Training on {len(division.training)} images of {training} sources, validating on "
        f"{len(division.validation)} of {validation} others; on {device}."
    )
    network = beginning(config, pretrained)
    validation_rows = some(division.validation, config.DATA.MOST_WATCHED, config.SEED)
    epochs, train = Epochs(division.training, config.DATA, config.SEED), config.TRAIN
    task = Detecting(network, validation_rows, config, steps_per_epoch(epochs, train), device)
    mark = mark_of(f"finetune {VERSION}", config, division, file_sha256(pretrained))
    return run(task, config, train, epochs, folder, mark, device, talk, keep_all=keep_all)


def beginning(config: Config, pretrained: Path) -> Spai:
    """The network before its training: random, on the pre-trained backbone."""
    torch.manual_seed(config.SEED)
    network = Spai(config.sizes, config.MODEL.SID_DROPOUT)
    network.begin()
    load_backbone(checkpoints.network_tensors(pretrained), network.mfvit.vit, pretrained.name)
    return network


def network_in(path: Path) -> Spai:
    """The network of a checkpoint or of weights; WeightsError where there is none."""
    return spai_of(checkpoints.network_tensors(path), path.name)


def install_best(progress: EpochProgress, folder: Path, weights: Path) -> None:
    """Install the best epoch's network for the detector `spai`; WeightsError where its checkpoint is gone."""
    path = checkpoints.path_of(folder, progress.best_epoch)
    if not path.is_file():
        raise WeightsError(f"{path} is gone: the training must be run again.")

    def fill(place: Path) -> str:
        save_file(apart(checkpoints.network_tensors(path)), place / "model.safetensors")
        return ""

    install(find(NAME), weights, "trained here", fill)
