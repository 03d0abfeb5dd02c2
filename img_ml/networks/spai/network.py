"""SPAI as a whole, under the names of its authors' checkpoint, and how files of theirs become it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from forensics.errors import WeightsError
from img_ml.networks.spai.backbone import Backbone, spread_of
from img_ml.networks.spai.context import SpectralContext
from img_ml.networks.spai.features import PatchFeatures
from img_ml.networks.spai.sizes import SpaiSizes, VitSizes, sizes_of, vit_sizes_of
from img_ml.weights.loading import fill

# Parts of the authors' transformer class that its use inside SPAI never calls; their checkpoint holds them.
UNUSED = tuple(
    f"mfvit.vit.{part}"
    for part in ("head.", "fc_norm.", "intermediate_fc_norm.", "actual_cls_token", "cls_pos_embed", "cls_blocks.")
)
# What the tensors mean to the network: own-trained ones say for which version of it they were trained. Before version 2
# two activations of the authors' network were missing.
VERSION, MARK = 2, "version"
_ENCODER = "encoder."
# Of a pre-trained file: the decoder, and the norm after the last block, which SPAI does not look behind.
_PRETRAINING_ONLY = ("decoder.", "norm.", "fc_norm.", "head.")


class Spai(SpectralContext):
    """Vectors of patches to one logit; `mfvit` makes the vector of a patch."""

    def __init__(self, sizes: SpaiSizes, dropout: float = 0.5) -> None:
        super().__init__(sizes, dropout)
        self.sizes = sizes
        self.mfvit = PatchFeatures(sizes, dropout)
        self.register_buffer(MARK, torch.tensor(VERSION))

    def logits(self, patches: Tensor) -> Tensor:
        """Logits (n,) of images (n, patches, 3, side, side) in [0, 1]."""
        vectors = self.mfvit(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        logits: Tensor = self(vectors)[0]
        return logits

    def begin(self) -> None:
        """Random weights to train from, the backbone's too."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=spread_of(layer))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.trunc_normal_(self.patch_aggregator, std=0.02)
        self.mfvit.vit.begin()


def spai_of(tensors: Mapping[str, Tensor], name: str) -> Spai:
    """The network with these tensors, ready to use; WeightsError where they are not those of one."""
    used = {key: value for key, value in tensors.items() if not key.startswith(UNUSED)}
    _check_version(used, is_theirs=len(used) < len(tensors), name=name)
    used[MARK] = torch.tensor(VERSION)
    try:
        sizes = sizes_of(used)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{name} are no weights of SPAI: {_told(error)}") from None
    _check(sizes.vit, name)
    network = Spai(sizes)
    fill(network, used, name)
    return network.eval().requires_grad_(False)


def load_backbone(tensors: Mapping[str, Tensor], backbone: Backbone, name: str) -> None:
    """Fill the backbone from a pre-trained file, the authors' or one's own; WeightsError where it does not fit."""
    own = backbone_tensors(tensors)
    try:
        found = vit_sizes_of(own)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{name} holds no backbone of masked-frequency modelling: {_told(error)}") from None
    if found != backbone.sizes:
        raise WeightsError(f"{name} holds a backbone of {found}, and the settings ask for {backbone.sizes}.")
    fill(backbone, own, name)


def backbone_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the backbone under their plain names; only they, where they have the prefix `encoder.`."""
    if any(key.startswith(_ENCODER) for key in tensors):
        tensors = {key.removeprefix(_ENCODER): value for key, value in tensors.items() if key.startswith(_ENCODER)}
    return {key: value for key, value in tensors.items() if not key.startswith(_PRETRAINING_ONLY)}


def _check_version(tensors: Mapping[str, Tensor], *, is_theirs: bool, name: str) -> None:
    """Raise WeightsError where own-trained tensors are of another version; the authors' files hold no mark of ours."""
    mark = tensors.get(MARK)
    version = 1 if mark is None else int(mark)
    if not is_theirs and version != VERSION:
        raise WeightsError(
            f"{name} was trained for version {version} of the network, and this is version {VERSION}: train it again "
            "with python -m img_ml.spai train."
        )


def _check(sizes: VitSizes, name: str) -> None:
    if sizes.width % 64 or sizes.depth == 0:
        raise WeightsError(f"{name} holds a backbone of {sizes}, which is none that SPAI is built on.")


def _told(error: Exception) -> str:
    return f"the tensor {error.args[0]} is missing." if isinstance(error, KeyError) else f"{error}."
