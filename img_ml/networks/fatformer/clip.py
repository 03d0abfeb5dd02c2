"""CLIP as FatFormer changes it: both transformers, adapters in the image encoder, features of every patch."""

import torch
from torch import Tensor, nn

from img_ml.networks.fatformer.adapter import ForgeryAwareAdapter
from img_ml.networks.fatformer.attention import Attention
from img_ml.networks.fatformer.sizes import Sizes

# Of every CLIP of OpenAI's.
_HEAD_WIDTH = 64


class QuickGELU(nn.Module):
    """The quick approximation of GELU that OpenAI trained CLIP with."""

    def forward(self, values: Tensor) -> Tensor:
        """Each value times the sigmoid of 1.702 times itself."""
        return values * torch.sigmoid(1.702 * values)


class MLP(nn.Sequential):
    """The feed-forward network of a block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.add_module("c_fc", nn.Linear(width, 4 * width))
        self.add_module("gelu", QuickGELU())
        self.add_module("c_proj", nn.Linear(4 * width, width))


class Block(nn.Module):
    """One block of a transformer; with a `bottleneck` it has an adapter beside the feed-forward network."""

    def __init__(self, width: int, causal: bool, bottleneck: int = 0) -> None:
        super().__init__()
        self.causal = causal
        self.attn = Attention(width, width // _HEAD_WIDTH)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.ln_2 = nn.LayerNorm(width)
        self.forgery_aware_adapter = ForgeryAwareAdapter(width, bottleneck) if bottleneck else None

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, m, width) of the same shape."""
        normalised = self.ln_1(tokens)
        tokens = tokens + self.attn(normalised, normalised, self.causal)
        result: Tensor = tokens + self.mlp(self.ln_2(tokens))
        # The adapter sees what the feed-forward network sees, before its normalisation.
        return result if self.forgery_aware_adapter is None else result + self.forgery_aware_adapter(tokens)


class Transformer(nn.Module):
    """Blocks one after another."""

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*blocks)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, m, width) of the same shape."""
        result: Tensor = self.resblocks(tokens)
        return result


class ImageEncoder(nn.Module):
    """Images (n, 3, side, side) to features (n, 1 + patches, text width): of the whole image, then of each patch."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.vision_width
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(sizes.grid**2 + 1, width))
        self.proj = nn.Parameter(torch.zeros(width, sizes.text_width))
        self.conv1 = nn.Conv2d(3, width, sizes.patch, sizes.patch, bias=False)
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(
            [
                Block(width, causal=False, bottleneck=sizes.bottleneck if layer in sizes.adapters else 0)
                for layer in range(sizes.vision_layers)
            ]
        )
        self.ln_post = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        """The features, not normalised."""
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        tokens = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        features: Tensor = self.ln_post(self.transformer(tokens)) @ self.proj
        return features


class CLIP(nn.Module):
    """The tensors of both encoders; the text encoder works through `TextEncoder`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.text_width
        self.positional_embedding = nn.Parameter(torch.zeros(sizes.text_length, width))
        self.text_projection = nn.Parameter(torch.zeros(width, width))
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.visual = ImageEncoder(sizes)
        self.transformer = Transformer([Block(width, causal=True) for _ in range(sizes.text_layers)])
        self.token_embedding = nn.Embedding(sizes.vocabulary, width)
        self.ln_final = nn.LayerNorm(width)


class TextEncoder(nn.Module):
    """Embedded prompts (n, length, width), each ending with its last token, to text features (n, width)."""

    def __init__(self, clip: CLIP) -> None:
        super().__init__()
        self.transformer = clip.transformer
        self.positional_embedding = clip.positional_embedding
        self.ln_final = clip.ln_final
        self.text_projection = clip.text_projection

    def forward(self, prompts: Tensor) -> Tensor:
        """The features, not normalised."""
        tokens = self.transformer(prompts + self.positional_embedding[: prompts.shape[1]])
        features: Tensor = self.ln_final(tokens[:, -1]) @ self.text_projection
        return features
