"""The vision transformer of masked-frequency modelling, under the names of its authors' checkpoint."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.spai.sizes import HEAD_WIDTH, VitSizes

_EPSILON = 1e-6
_SPREAD, _WIDTH = 0.02, 768


def spread_of(layer: nn.Linear | nn.Conv2d) -> float:
    """The spread of a layer's random weights: that of the authors at their width, and as much signal at any other."""
    return float(_SPREAD * (_WIDTH / layer.weight[0].numel()) ** 0.5)


class Attention(nn.Module):
    """Self-attention; queries and values have a bias, keys have none."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, t, width) to the same."""
        count, length, width = tokens.shape
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        mixed = self.qkv(tokens)
        mixed = mixed + bias.to(mixed.dtype)
        query, key, value = mixed.view(count, length, 3, width // HEAD_WIDTH, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.proj(seen.transpose(1, 2).reshape(count, length, width))
        return projected


class Mlp(nn.Module):
    """Two layers with a GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, t, width) to the same."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return out


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside what came in."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = Attention(width)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = Mlp(width, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, t, width) to the same."""
        tokens = tokens + self.attn(self.norm1(tokens))
        out: Tensor = tokens + self.mlp(self.norm2(tokens))
        return out


class PatchEmbedding(nn.Module):
    """Squares of an image as tokens."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, sizes.width, sizes.patch, sizes.patch)

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, 3, side, side) to tokens (n, grid * grid, width)."""
        squares: Tensor = self.proj(images)
        return squares.flatten(2).transpose(1, 2)


class Backbone(nn.Module):
    """The transformer up to its last block; what comes after that belongs to those who use it."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.patch_embed = PatchEmbedding(sizes)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + sizes.grid**2, sizes.width))
        self.blocks = nn.ModuleList([Block(sizes.width, sizes.hidden) for _ in range(sizes.depth)])

    def layers(self, images: Tensor) -> Iterator[Tensor]:
        """The tokens (n, 1 + grid * grid, width) after each block in turn; images are (n, 3, side, side), normalised.

        The first token stands for the whole image.
        """
        tokens = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], dim=1)
        tokens = tokens + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
            yield tokens

    def begin(self) -> None:
        """Random weights to train from; deep blocks begin close to doing nothing."""
        for token in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(token, std=_SPREAD, a=-_SPREAD, b=_SPREAD)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                spread = spread_of(layer)
                nn.init.trunc_normal_(layer.weight, std=spread, a=-spread, b=spread)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        with torch.no_grad():
            for number, block in enumerate(self.blocks, start=1):
                for last in (block.attn.proj, block.mlp.fc2):  # type: ignore[union-attr]  # a list of blocks
                    last.weight.div_((2 * number) ** 0.5)  # type: ignore[union-attr, operator]
