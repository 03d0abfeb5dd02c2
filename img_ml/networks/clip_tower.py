"""The first blocks of CLIP's ViT-B/16 image tower, with the class token and the mean patch token after each.

Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021; names of the tensors
are those of open_clip's `visual`.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

WIDTH, HEADS, PATCH, SIDE, ALL_BLOCKS = 768, 12, 16, 224, 12
PLACES = (SIDE // PATCH) ** 2
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class Attention(nn.Module):
    """Self-attention as torch's own, written out so that it becomes plain matrix products in a graph."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width).normal_(std=0.02))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """N x t x w tokens in and out."""
        count, length, width = tokens.shape
        each = width // self._heads
        mixed = nn.functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        query, key, value = mixed.reshape(count, length, 3, self._heads, each).permute(2, 0, 3, 1, 4).unbind(0)
        shares = torch.softmax((query / math.sqrt(each)) @ key.transpose(-1, -2), dim=-1)
        found: Tensor = self.out_proj((shares @ value).transpose(1, 2).reshape(count, length, width))
        return found


class QuickGelu(nn.Module):
    """The activation that OpenAI trained with."""

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        return values * torch.sigmoid(1.702 * values)


class Block(nn.Module):
    """Attention and a feed-forward network, each added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.mlp = nn.Sequential(
            OrderedDict(c_fc=nn.Linear(width, 4 * width), gelu=QuickGelu(), c_proj=nn.Linear(4 * width, width))
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """N x t x w tokens in and out."""
        tokens = tokens + self.attn(self.ln_1(tokens))
        found: Tensor = tokens + self.mlp(self.ln_2(tokens))
        return found


class ClipTower(nn.Module):
    """uint8 images n x SIDE x SIDE x 3 in, n x blocks x 2 x width out: class and mean patch token after each block."""

    def __init__(self, blocks: int = ALL_BLOCKS, width: int = WIDTH, heads: int = HEADS) -> None:
        """Other widths than the published one are for tests."""
        super().__init__()
        self.width = width
        self.conv1 = nn.Conv2d(3, width, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(PLACES + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("scale", 1 / (torch.tensor(STD).view(1, 3, 1, 1) * 255), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        images = (pixels.permute(0, 3, 1, 2).float() - self.get_buffer("mean")) * self.get_buffer("scale")
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(pixels.shape[0], 1, self.width)
        tokens = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        found = []
        for block in self.transformer.resblocks:  # type: ignore[union-attr]
            tokens = block(tokens)
            found.append(torch.stack([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1))
        return torch.stack(found, dim=1)

    def load_visual(self, state: dict[str, Tensor]) -> None:
        """Take the tensors of open_clip's `visual` state; blocks beyond the last of this tower are left out."""
        own = self.state_dict()
        self.load_state_dict({name: state[name] for name in own})
