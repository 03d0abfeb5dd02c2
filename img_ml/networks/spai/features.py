"""What SPAI says of one patch: how alike its original, low and high frequencies look to the backbone, layer by layer.

The three versions go through the backbone side by side, and each layer is taken in as soon as it is there, so that no
more than one layer's tokens are held: the published way holds twelve of them for each version.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.spai.backbone import Backbone
from img_ml.networks.spai.frequencies import circular_mask, split
from img_ml.networks.spai.sizes import SpaiSizes
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD

# Pairs of the versions 0 original, 1 low and 2 high frequencies.
PAIRS = ((0, 1), (0, 2), (1, 2))


class Projector(nn.Module):
    """Two linear layers with a GELU between and dropout around them, then a norm.

    The layers' projectors begin with a norm; those that weigh the layers do not, and have a GELU after the second
    linear layer too, as the authors' code builds them.
    """

    def __init__(self, width: int, projection: int, dropout: float, *, weighing: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.Identity() if weighing else nn.LayerNorm(width)
        self.projector = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, projection),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(projection, projection),
            nn.GELU() if weighing else nn.Identity(),
            nn.Dropout(dropout),
        )
        self.norm2 = nn.LayerNorm(projection)

    def forward(self, values: Tensor) -> Tensor:
        """Values (..., width) to (..., projection)."""
        out: Tensor = self.norm2(self.projector(self.norm1(values)))
        return out


class LayerProjectors(nn.Module):
    """One projector for each layer of the backbone."""

    def __init__(self, sizes: SpaiSizes, dropout: float) -> None:
        super().__init__()
        width, count = sizes.vit.width, sizes.vit.depth
        self.projectors = nn.ModuleList([Projector(width, sizes.projection, dropout) for _ in range(count)])


class LayerWeighing(nn.Module):
    """The original's features of all layers as one vector: what layers and values matter is learned."""

    def __init__(self, sizes: SpaiSizes, dropout: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.randn(1, sizes.vit.depth, sizes.projection))
        self.proj1 = Projector(2 * sizes.projection, sizes.projection, dropout, weighing=True)
        self.proj2 = Projector(sizes.projection, sizes.projection, dropout, weighing=True)

    def forward(self, moments: Tensor) -> Tensor:
        """Means and deviations of each layer (n, layers, 2 * projection) to (n, projection)."""
        weighed = torch.softmax(self.alpha, dim=1) * self.proj1(moments)
        out: Tensor = self.proj2(weighed.sum(dim=1))
        return out


class FeaturesProcessor(nn.Module):
    """The trained layers on top of the backbone."""

    def __init__(self, sizes: SpaiSizes, dropout: float) -> None:
        super().__init__()
        self.patch_projector = LayerProjectors(sizes, dropout)
        self.original_features_processor = LayerWeighing(sizes, dropout)


class PatchFeatures(nn.Module):
    """Patches (n, 3, side, side) in [0, 1] to vectors (n, 6 * layers + projection).

    First come, for each pair of versions, the means and the deviations of the cosine similarities over the patch's
    tokens, layer by layer; then the projected features of the original. The backbone takes no gradients.
    """

    frequencies_mask: Tensor
    _mean: Tensor
    _deviation: Tensor

    def __init__(self, sizes: SpaiSizes, dropout: float = 0.5) -> None:
        super().__init__()
        self.vit = Backbone(sizes.vit)
        self.features_processor = FeaturesProcessor(sizes, dropout)
        self.register_buffer("frequencies_mask", circular_mask(sizes.vit.side, sizes.radius))
        self.register_buffer("_mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("_deviation", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.vit.requires_grad_(False)

    def forward(self, patches: Tensor) -> Tensor:
        """The vectors of the patches."""
        low, high = split(patches, self.frequencies_mask)
        versions = torch.cat([patches, low, high])
        layers = self.vit.layers((versions - self._mean) / self._deviation)
        similarities, moments = [], []
        for projector in self.features_processor.patch_projector.projectors:
            with torch.no_grad():
                tokens = next(layers)[:, 1:]
            # The norm of the last layer leaves half precision behind.
            projected = projector(tokens).float().unflatten(0, (3, len(patches)))
            similarities.append(_similarities(projected))
            moments.append(torch.cat([projected[0].mean(dim=1), projected[0].std(dim=1)], dim=1))
        described = torch.stack(similarities, dim=2).flatten(1)
        original = self.features_processor.original_features_processor(torch.stack(moments, dim=1))
        return torch.cat([described, original.float()], dim=1)


def _similarities(versions: Tensor) -> Tensor:
    """Mean and deviation of the cosine similarity over tokens, for each pair: (3, n, tokens, d) to (n, 6)."""
    found = []
    for first, second in PAIRS:
        alike = functional.cosine_similarity(versions[first], versions[second], dim=-1)
        found += [alike.mean(dim=-1), alike.std(dim=-1)]
    return torch.stack(found, dim=1)
