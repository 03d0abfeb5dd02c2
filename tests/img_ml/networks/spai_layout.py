"""Names and shapes of the tensors of mfm_pretrain_vit_base.pth and of SPAI's checkpoint, by their authors' code."""

Shape = tuple[int, ...]
Layout = dict[str, Shape]

WIDTH, DEPTH, TOKENS, PROJECTION = 768, 12, 197, 1024
VECTOR = 6 * DEPTH + PROJECTION


def linear(name: str, rows: int, columns: int) -> Layout:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def norm(name: str, width: int) -> Layout:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def block(name: str) -> Layout:
    return {
        **norm(f"{name}.norm1", WIDTH),
        f"{name}.attn.q_bias": (WIDTH,),
        f"{name}.attn.v_bias": (WIDTH,),
        f"{name}.attn.qkv.weight": (3 * WIDTH, WIDTH),
        **linear(f"{name}.attn.proj", WIDTH, WIDTH),
        **norm(f"{name}.norm2", WIDTH),
        **linear(f"{name}.mlp.fc1", 4 * WIDTH, WIDTH),
        **linear(f"{name}.mlp.fc2", WIDTH, 4 * WIDTH),
    }


def backbone(prefix: str) -> Layout:
    found: Layout = {
        f"{prefix}cls_token": (1, 1, WIDTH),
        f"{prefix}pos_embed": (1, TOKENS, WIDTH),
        f"{prefix}patch_embed.proj.weight": (WIDTH, 3, 16, 16),
        f"{prefix}patch_embed.proj.bias": (WIDTH,),
    }
    for number in range(DEPTH):
        found |= block(f"{prefix}blocks.{number}")
    return found


def projector(name: str, width: int, *, first_norm: bool) -> Layout:
    return {
        **(norm(f"{name}.norm1", width) if first_norm else {}),
        **linear(f"{name}.projector.1", PROJECTION, width),
        **linear(f"{name}.projector.4", PROJECTION, PROJECTION),
        **norm(f"{name}.norm2", PROJECTION),
    }


# Masked-frequency modelling of ViT-B/16 as it is pre-trained: the encoder, and a convolution as the decoder.
MFM: Layout = {
    **backbone("encoder."),
    **norm("encoder.norm", WIDTH),
    "decoder.0.weight": (16 * 16 * 3, WIDTH, 1, 1),
    "decoder.0.bias": (16 * 16 * 3,),
}

_FEATURES = "mfvit.features_processor"
_USED: Layout = {
    "patch_aggregator": (12, 1, 128),
    "to_kv.weight": (2 * 1536, VECTOR),
    "to_out.0.weight": (VECTOR, 1536),
    **norm("norm", VECTOR),
    **linear("cls_head.head.0", 3 * VECTOR, VECTOR),
    **linear("cls_head.head.3", 3 * VECTOR, 3 * VECTOR),
    **linear("cls_head.head.6", 1, 3 * VECTOR),
    "mfvit.frequencies_mask": (224, 224),
    **backbone("mfvit.vit."),
    f"{_FEATURES}.original_features_processor.alpha": (1, DEPTH, PROJECTION),
    **projector(f"{_FEATURES}.original_features_processor.proj1", 2 * PROJECTION, first_norm=False),
    **projector(f"{_FEATURES}.original_features_processor.proj2", PROJECTION, first_norm=False),
}
for _number in range(DEPTH):
    _USED |= projector(f"{_FEATURES}.patch_projector.projectors.{_number}", WIDTH, first_norm=True)
# Parts of the transformer that SPAI's forward pass never calls.
_NEVER_CALLED: Layout = {
    "mfvit.vit.actual_cls_token": (1, 1, WIDTH),
    "mfvit.vit.cls_pos_embed": (1, TOKENS, WIDTH),
    **block("mfvit.vit.cls_blocks.0"),
    **norm("mfvit.vit.fc_norm", WIDTH),
    **linear("mfvit.vit.head", 2, DEPTH * WIDTH),
}
for _number in range(DEPTH):
    _NEVER_CALLED |= norm(f"mfvit.vit.intermediate_fc_norm.{_number}", WIDTH)
SPAI: Layout = {**_USED, **_NEVER_CALLED}
