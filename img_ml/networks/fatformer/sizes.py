"""How large a FatFormer is, read off the shapes of its tensors."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from forensics.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]

_ADAPTER = re.compile(r"clip_model\.visual\.transformer\.resblocks\.(\d+)\.forgery_aware_adapter\.")


@dataclass(frozen=True, slots=True)
class Sizes:
    """What differs between a FatFormer and a smaller one; as they are here, they are the published network's.

    `adapters` are the blocks of the image encoder that have an adapter, `grid` is the number of patches along one
    side of the image, and `text_width` is the width of the common space of images and texts too.
    """

    vision_width: int = 1024
    vision_layers: int = 24
    adapters: tuple[int, ...] = (2, 5, 8, 11, 14, 17, 20, 23)
    bottleneck: int = 64
    patch: int = 14
    grid: int = 16
    text_width: int = 768
    text_layers: int = 12
    text_length: int = 77
    vocabulary: int = 49408
    context_tokens: int = 8

    @property
    def image(self) -> int:
        """The side of the images it takes, in pixels."""
        return self.patch * self.grid


def sizes_of(shapes: Shapes) -> Sizes:
    """The sizes of the network whose tensors have these shapes; WeightsError where they are not FatFormer's."""
    width, _, _, patch = _shape(shapes, "clip_model.visual.conv1.weight", 4)
    places, _ = _shape(shapes, "clip_model.visual.positional_embedding", 2)
    text_length, text_width = _shape(shapes, "clip_model.positional_embedding", 2)
    vocabulary, _ = _shape(shapes, "clip_model.token_embedding.weight", 2)
    context_tokens, _ = _shape(shapes, "language_guided_alignment.ctx", 2)
    adapters = tuple(sorted({int(found[1]) for name in shapes if (found := _ADAPTER.match(name))}))
    if not adapters:
        raise WeightsError("The weights are CLIP's without FatFormer's adapters.")
    name = f"clip_model.visual.transformer.resblocks.{adapters[0]}.forgery_aware_adapter.first_conv_layer.weight"
    grid = math.isqrt(places - 1)
    if grid * grid != places - 1 or grid % 2:
        raise WeightsError(f"The weights are for {places - 1} patches, which do not form a square with an even side.")
    return Sizes(
        vision_width=width,
        vision_layers=_layers(shapes, "clip_model.visual.transformer.resblocks."),
        adapters=adapters,
        bottleneck=_shape(shapes, name, 3)[0],
        patch=patch,
        grid=grid,
        text_width=text_width,
        text_layers=_layers(shapes, "clip_model.transformer.resblocks."),
        text_length=text_length,
        vocabulary=vocabulary,
        context_tokens=context_tokens,
    )


def _shape(shapes: Shapes, name: str, dimensions: int) -> tuple[int, ...]:
    if name not in shapes:
        raise WeightsError(f"The weights lack the tensor {name}: they are not FatFormer's.")
    if len(shapes[name]) != dimensions:
        raise WeightsError(f"The tensor {name} has {len(shapes[name])} dimensions, not {dimensions}.")
    return shapes[name]


def _layers(shapes: Shapes, prefix: str) -> int:
    return len({name[len(prefix) :].split(".")[0] for name in shapes if name.startswith(prefix)})
