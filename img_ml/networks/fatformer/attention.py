"""Attention with the tensor names of PyTorch's own, and the decoder layer that FatFormer uses in two places."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head attention of queries (n, q, width) to a memory (n, m, width); zeros until weights are loaded."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, memory: Tensor, causal: bool = False) -> Tensor:
        """What each query gathers, (n, q, width); `causal` hides what comes later from each query."""
        width = queries.shape[-1]
        if queries is memory:
            query, key, value = functional.linear(queries, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        else:
            query = functional.linear(queries, self.in_proj_weight[:width], self.in_proj_bias[:width])
            both = functional.linear(memory, self.in_proj_weight[width:], self.in_proj_bias[width:])
            key, value = both.chunk(2, dim=-1)
        gathered = functional.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value), is_causal=causal
        )
        projected: Tensor = self.out_proj(gathered.transpose(1, 2).flatten(2))
        return projected

    def _split(self, tokens: Tensor) -> Tensor:
        count, length, width = tokens.shape
        return tokens.view(count, length, self.heads, width // self.heads).transpose(1, 2)


class DecoderLayer(nn.Module):
    """What surrounds a cross-attention: residual sums, each normalised after, and a feed-forward network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm2 = nn.LayerNorm(width)

    def attended(self, attention: Attention, tokens: Tensor, memory: Tensor) -> Tensor:
        """The tokens (n, q, width) after they looked at the memory (n, m, width)."""
        tokens = self.norm1(tokens + attention(tokens, memory))
        refined: Tensor = self.norm2(tokens + self.linear2(functional.relu(self.linear1(tokens))))
        return refined
