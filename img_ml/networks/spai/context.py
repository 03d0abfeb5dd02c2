"""Spectral context attention: what the patches of an image say together, and which of them were listened to."""

import torch
from torch import Tensor, nn

from img_ml.networks.spai.sizes import SpaiSizes


class Classifier(nn.Module):
    """Three linear layers to one logit."""

    def __init__(self, vector: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.head = nn.Sequential(
            nn.Linear(vector, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (n, vector) to logits (n,)."""
        logits: Tensor = self.head(vectors)
        return logits[:, 0]


class SpectralContext(nn.Module):
    """A learned query looks at the vectors of all patches, head by head; the classifier gets what it took from them."""

    def __init__(self, sizes: SpaiSizes, dropout: float = 0.5) -> None:
        super().__init__()
        width = sizes.context // sizes.heads
        self.dropout = nn.Dropout(dropout)
        self.to_kv = nn.Linear(sizes.vector, 2 * sizes.context, bias=False)
        self.patch_aggregator = nn.Parameter(torch.zeros(sizes.heads, 1, width))
        self.to_out = nn.Sequential(nn.Linear(sizes.context, sizes.vector, bias=False), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(sizes.vector)
        self.cls_head = Classifier(sizes.vector, sizes.hidden, dropout)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (n, patches, vector) to logits (n,) and the heads' mean attention (n, patches), which sums to 1."""
        heads, _, width = self.patch_aggregator.shape
        count, patches, _ = vectors.shape
        key, value = self.to_kv(vectors).view(count, patches, 2, heads, width).permute(2, 0, 3, 1, 4)
        attention = torch.softmax(self.patch_aggregator @ key.transpose(-1, -2) * width**-0.5, dim=-1)
        taken = self.dropout(attention) @ value
        logits: Tensor = self.cls_head(self.norm(self.to_out(taken.reshape(count, heads * width))))
        return logits, attention.mean(dim=1)[:, 0]
