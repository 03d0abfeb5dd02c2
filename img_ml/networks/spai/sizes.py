"""How large a SPAI network is; a file of tensors says it by their shapes."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

# Every head of the backbone is this wide, as in all vision transformers of the family.
HEAD_WIDTH = 64


@dataclass(frozen=True, slots=True)
class VitSizes:
    """The backbone: images of `side` pixels in squares of `patch`, `depth` blocks of `width`; the published ViT-B/16.

    `width` is a multiple of 64, `side` one of `patch`.
    """

    side: int = 224
    patch: int = 16
    width: int = 768
    depth: int = 12
    hidden: int = 3072

    @property
    def heads(self) -> int:
        """Heads of each block."""
        return self.width // HEAD_WIDTH

    @property
    def grid(self) -> int:
        """Squares along a side."""
        return self.side // self.patch


@dataclass(frozen=True, slots=True)
class SpaiSizes:
    """The whole network: features of each layer go to `projection` values, patches meet in `context` values.

    `radius` is that of the circle in the spectrum, `heads` those of the attention over patches, `hidden` the width of
    the classifier's layers.
    """

    vit: VitSizes = VitSizes()
    projection: int = 1024
    context: int = 1536
    heads: int = 12
    hidden: int = 3288
    radius: int = 16

    @property
    def vector(self) -> int:
        """Values that describe one patch: six for each layer, and the projected features of the original."""
        return 6 * self.vit.depth + self.projection


def vit_sizes_of(tensors: Mapping[str, Tensor], prefix: str = "") -> VitSizes:
    """The sizes of the backbone whose tensors' names begin so; KeyError where one of them is not there."""
    width, _, patch, _ = tensors[f"{prefix}patch_embed.proj.weight"].shape
    tokens = tensors[f"{prefix}pos_embed"].shape[1]
    hidden = tensors[f"{prefix}blocks.0.mlp.fc1.weight"].shape[0]
    numbers = {int(name.removeprefix(f"{prefix}blocks.").split(".")[0]) for name in tensors if _block(name, prefix)}
    return VitSizes(round((tokens - 1) ** 0.5) * patch, patch, width, len(numbers), hidden)


def sizes_of(tensors: Mapping[str, Tensor]) -> SpaiSizes:
    """The sizes of the network with these tensors; KeyError where one of them is not there.

    The radius is not read: the mask itself is among the tensors.
    """
    heads, _, width = tensors["patch_aggregator"].shape
    return SpaiSizes(
        vit=vit_sizes_of(tensors, "mfvit.vit."),
        projection=tensors["mfvit.features_processor.original_features_processor.alpha"].shape[2],
        context=heads * width,
        heads=heads,
        hidden=tensors["cls_head.head.0.weight"].shape[0],
    )


def _block(name: str, prefix: str) -> bool:
    return name.startswith(f"{prefix}blocks.")
