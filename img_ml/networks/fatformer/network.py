"""The whole of FatFormer: images in, the evidence for real and for fake out."""

from torch import Tensor
from torch.nn import functional

from img_ml.networks.fatformer.attention import Attention, DecoderLayer
from img_ml.networks.fatformer.clip import CLIP, TextEncoder
from img_ml.networks.fatformer.language import HEADS, LanguageGuidedAlignment
from img_ml.networks.fatformer.sizes import Sizes


class FatFormer(DecoderLayer):
    """Images (n, 3, side, side), normalised, to logits (n, 2): real, fake. Zeros until weights are loaded.

    Parts are reachable, and named in the checkpoint, more than once: `image_encoder` is `clip_model.visual`, and
    `text_encoder` is made of parts of `clip_model`.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes.text_width)
        self.clip_model = CLIP(sizes)
        self.language_guided_alignment = LanguageGuidedAlignment(sizes)
        self.image_encoder = self.clip_model.visual
        self.text_encoder = TextEncoder(self.clip_model)
        self.logit_scale = self.clip_model.logit_scale
        self.text_guided_interactor = Attention(sizes.text_width, HEADS)

    def forward(self, images: Tensor) -> Tensor:
        """The cosines of both texts with the image and with its patches, summed and scaled."""
        features = self.image_encoder(images)
        prompts = self.language_guided_alignment(features)
        texts = self.text_encoder(prompts.flatten(0, 1)).unflatten(0, prompts.shape[:2])
        patches = self.attended(self.text_guided_interactor, features[:, 1:], texts).mean(dim=1)
        return self.logit_scale.exp() * (_cosines(features[:, 0], texts) + _cosines(patches, texts))


def _cosines(images: Tensor, texts: Tensor) -> Tensor:
    """(n, width) and (n, classes, width) to (n, classes), in float32 also where the rest is computed in less."""
    return functional.cosine_similarity(images.float()[:, None], texts.float(), dim=-1)
