"""Language-guided alignment: the prompts for real and fake, made anew for each image."""

import torch
from torch import Tensor, nn

from img_ml.networks.fatformer.attention import Attention, DecoderLayer
from img_ml.networks.fatformer.sizes import Sizes

HEADS = 12
# What an image may be, in the order of the outputs. The prompts are the learned words, then one of these and a full
# stop; the words are one token each, so both prompts end at the same place.
CLASSES = ("real", "fake")
_AFTER_CONTEXT = ("class", "full stop", "end of text")


class LanguageGuidedAlignment(DecoderLayer):
    """Image features (n, 1 + patches, width) to embedded prompts (n, classes, tokens, width).

    The learned words of the prompts look at the image's features first (the enhancer). Prompts stop at their last
    token: attention among words is causal, so what is filled up behind it never reaches a feature.
    """

    token_prefix: Tensor
    token_suffix: Tensor

    def __init__(self, sizes: Sizes) -> None:
        width = sizes.text_width
        super().__init__(width)
        rest = sizes.text_length - 1 - sizes.context_tokens
        self.ctx = nn.Parameter(torch.zeros(sizes.context_tokens, width))
        self.register_buffer("token_prefix", torch.zeros(len(CLASSES), 1, width))
        self.register_buffer("token_suffix", torch.zeros(len(CLASSES), rest, width))
        # The name is the checkpoint's.
        self.patch_basaed_enhancer = Attention(width, HEADS)

    def forward(self, features: Tensor) -> Tensor:
        """The prompts of each image."""
        words = self.enhanced(features)[:, None].expand(-1, len(CLASSES), -1, -1)
        before = self.token_prefix.expand(len(features), -1, -1, -1)
        after = self.token_suffix[:, : len(_AFTER_CONTEXT)].expand(len(features), -1, -1, -1)
        return torch.cat([before, words, after], dim=2)

    def enhanced(self, features: Tensor) -> Tensor:
        """The learned words after they looked at each image's features, (n, context tokens, width)."""
        words = self.ctx.expand(len(features), -1, -1)
        return self.attended(self.patch_basaed_enhancer, words, features)
