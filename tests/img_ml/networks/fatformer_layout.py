"""Names and shapes of the tensors in FatFormer's released checkpoint, by the authors' released code."""

from collections.abc import Iterator

Shape = tuple[int, ...]

IMAGE, TEXT = 1024, 768
LAYER_NORM = {"weight": "w", "bias": "w"}
ATTENTION = {
    "in_proj_weight": "3w w",
    "in_proj_bias": "3w",
    "out_proj.weight": "w w",
    "out_proj.bias": "w",
}
FEED_FORWARD = {"linear1.weight": "4w w", "linear1.bias": "4w", "linear2.weight": "w 4w", "linear2.bias": "w"}
BLOCK = {
    **{f"attn.{name}": shape for name, shape in ATTENTION.items()},
    **{f"{norm}.{name}": shape for norm in ("ln_1", "ln_2") for name, shape in LAYER_NORM.items()},
    "mlp.c_fc.weight": "4w w",
    "mlp.c_fc.bias": "4w",
    "mlp.c_proj.weight": "w 4w",
    "mlp.c_proj.bias": "w",
}
ADAPTER = {
    "freq_scale": "1",
    "first_conv_layer.weight": "64 w 1",
    "first_conv_layer.bias": "64",
    "second_conv_layer.weight": "w 64 1",
    "second_conv_layer.bias": "w",
    **{f"dwt_transform.h{number}_col": "1 1 2 1" for number in (0, 1)},
    **{f"dwt_transform.h{number}_row": "1 1 1 2" for number in (0, 1)},
    **{f"idwt_transform.g{number}_col": "1 1 2 1" for number in (0, 1)},
    **{f"idwt_transform.g{number}_row": "1 1 1 2" for number in (0, 1)},
    **{f"{attention}.{name}": shape for attention in ("intra_band", "inter_band") for name, shape in ATTENTION.items()},
    **{
        f"{norm}.{name}": shape
        for norm in ("dwt_norm", "norm_intra", "norm_inter", "norm3")
        for name, shape in LAYER_NORM.items()
    },
    **FEED_FORWARD,
}
VISUAL = {
    "class_embedding": "w",
    "positional_embedding": "257 w",
    "proj": "w 768",
    "conv1.weight": "w 3 14 14",
    **{f"{norm}.{name}": shape for norm in ("ln_pre", "ln_post") for name, shape in LAYER_NORM.items()},
    **{f"transformer.resblocks.{layer}.{name}": shape for layer in range(24) for name, shape in BLOCK.items()},
    **{
        f"transformer.resblocks.{layer}.forgery_aware_adapter.{name}": shape
        for layer in (2, 5, 8, 11, 14, 17, 20, 23)
        for name, shape in ADAPTER.items()
    },
}
LANGUAGE = {
    "positional_embedding": "77 w",
    "text_projection": "w 768",
    **{f"ln_final.{name}": shape for name, shape in LAYER_NORM.items()},
    **{f"transformer.resblocks.{layer}.{name}": shape for layer in range(12) for name, shape in BLOCK.items()},
}
DECODER = {
    **FEED_FORWARD,
    **{f"{norm}.{name}": shape for norm in ("norm1", "norm2") for name, shape in LAYER_NORM.items()},
}
GUIDED = {
    "ctx": "8 w",
    "token_prefix": "2 1 w",
    "token_suffix": "2 68 w",
    **{f"patch_basaed_enhancer.{name}": shape for name, shape in ATTENTION.items()},
    **DECODER,
}
WHOLE = {**{f"text_guided_interactor.{name}": shape for name, shape in ATTENTION.items()}, **DECODER}
PARTS = (
    ("clip_model.visual.", VISUAL, IMAGE),
    ("image_encoder.", VISUAL, IMAGE),
    ("clip_model.", LANGUAGE | {"token_embedding.weight": "49408 w", "logit_scale": ""}, TEXT),
    ("text_encoder.", LANGUAGE, TEXT),
    ("language_guided_alignment.", GUIDED, TEXT),
    ("", WHOLE | {"logit_scale": ""}, TEXT),
)


def published() -> dict[str, Shape]:
    """Every name of the checkpoint; many tensors have two."""
    return dict(_expanded())


def _expanded() -> Iterator[tuple[str, Shape]]:
    for prefix, pattern, width in PARTS:
        for name, shape in pattern.items():
            yield prefix + name, tuple(_size(part, width) for part in shape.split())


def _size(part: str, width: int) -> int:
    return int(part.removesuffix("w") or 1) * width if part.endswith("w") else int(part)
