"""Every set of weights that a detector can be loaded with: adding one is adding a record."""

import difflib
from collections.abc import Sequence

from forensics.errors import WeightsError
from forensics.registry import TIERS, Tier
from img_ml.weights.record import Footprint, Preprocessing, WeightFile, WeightsRecord

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

# As the preprocessor_config.json of both repositories says; the file itself is read when the network is loaded.
_DINOV2 = Preprocessing(crop=224, shortest=256, mean=IMAGENET_MEAN, std=IMAGENET_STD)
_CLIP = Preprocessing(crop=224, shortest=224, mean=CLIP_MEAN, std=CLIP_STD)

RECORDS: tuple[WeightsRecord, ...] = (
    WeightsRecord(
        name="dinov2-base",
        detectors=("dino",),
        tier="standard",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/facebook/dinov2-base",
        repository="facebook/dinov2-base",
        revision="f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        files=(
            WeightFile("config.json", 548),
            WeightFile("preprocessor_config.json", 436),
            WeightFile("model.safetensors", 346_345_912),
        ),
        preprocessing=_DINOV2,
        footprint=Footprint(86_580_480, 85_017_600, 10_076_160),
    ),
    WeightsRecord(
        name="dinov2-large",
        detectors=("dino",),
        tier="full",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/facebook/dinov2-large",
        repository="facebook/dinov2-large",
        revision="47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
        files=(
            WeightFile("config.json", 549, "12df51c069a2dc1305e34ba71ef58bc2407ea553b75f4722a1715c1bce3bbed0"),
            WeightFile("preprocessor_config.json", 436),
            WeightFile(
                "model.safetensors", 1_217_522_888, "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23"
            ),
        ),
        preprocessing=_DINOV2,
        footprint=Footprint(304_368_640, 302_211_072, 13_234_176),
    ),
    WeightsRecord(
        name="clip-vit-h-14",
        detectors=("clip_h14",),
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/laion/CLIP-ViT-H-14-laion2B-s32B-b79K (open_clip ViT-H-14, laion2b_s32b_b79k)",
        repository="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        files=(
            WeightFile("open_clip_config.json", 600),
            WeightFile("open_clip_model.safetensors", 3_944_500_000, or_else="open_clip_pytorch_model.bin"),
        ),
        preprocessing=_CLIP,
        footprint=Footprint(632_076_800, 629_514_240, 16_392_192),
    ),
    WeightsRecord(
        name="clip-vit-bigg-14",
        detectors=("clip_bigg",),
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/laion/CLIP-ViT-bigG-14-laion2B-39B-b160k "
        "(open_clip ViT-bigG-14, laion2b_s39b_b160k)",
        repository="laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
        files=(
            WeightFile("open_clip_config.json", 600),
            WeightFile("open_clip_model.safetensors", 10_158_400_000, or_else="open_clip_pytorch_model.bin"),
        ),
        preprocessing=_CLIP,
        footprint=Footprint(1_844_907_264, 1_841_043_456, 24_287_232),
    ),
    WeightsRecord(
        name="fatformer",
        detectors=("fatformer",),
        tier="full",
        origin="local",
        licence="Apache-2.0",
        where="the authors publish fatformer_4class_ckpt.pth through the drive that the README of "
        "https://github.com/Michel-liu/FatFormer links to (Model Zoo); it holds OpenAI's CLIP ViT-L/14 too. "
        "The network follows their released code; it was not checked against this file",
        # The checkpoint names most tensors twice and stores them once; safetensors stores each name.
        files=(WeightFile("model.safetensors", 4_410_100_000),),
        preprocessing=Preprocessing(crop=224, squash=256, resample="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD),
        footprint=Footprint(577_351_561, 384_965_632, 19_546_112),
    ),
    WeightsRecord(
        name="mantranet",
        detectors=("mantranet",),
        tier="full",
        origin="local",
        licence="research use only",
        where="the authors publish the Keras weights in https://github.com/ISICV/ManTraNet (pretrained_weights); "
        "a PyTorch state dict of them is in https://github.com/RonyAbecidan/ManTraNet-pytorch (MantraNetv4.pt)",
        files=(WeightFile("model.safetensors", 15_500_000),),
        # A tile of 512 x 512 pixels, and the features of all tiles of an image that are kept.
        footprint=Footprint(3_805_625, 0, 820_000_000 + (1 << 30), most_views=1),
    ),
    WeightsRecord(
        name="ghostnet",
        detectors=("ghostnet",),
        tier="full",
        origin="trained",
        licence="yours",
        where="nobody publishes them; they are trained on images of your own",
        files=(WeightFile("config.json", 400), WeightFile("model.safetensors", 15_700_000)),
        footprint=Footprint(3_926_808, 0, 9_120_512, most_views=12),
    ),
    WeightsRecord(
        name="spai",
        detectors=("spai",),
        tier="full",
        origin="local",
        licence="Apache-2.0",
        where="the authors publish spai.pth through the drive that the README of https://github.com/mever-team/spai "
        "links to (Weights Checkpoint); the network follows their released code and was not checked against this "
        "file. python -m img_ml.spai train makes weights of one's own",
        files=(WeightFile("model.safetensors", 560_000_000),),
        footprint=Footprint(113_189_126, 112_281_600, 27_888_904),
    ),
    WeightsRecord(
        name="commfor-384",
        detectors=("commfor",),
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/OwensLab/commfor-model-384",
        repository="OwensLab/commfor-model-384",
        revision="6076002bf0d9dd37537f965ee2f06f826c333b61",
        files=(
            WeightFile("config.json", 116, "877416e73aac0fdbc1be723f5ddf674e78a2350305865ad9031564b287b60147"),
            WeightFile(
                "model.safetensors", 87_262_324, "b89f36275f3bf5e2b040eee36597a8f19db051bff9a473a9cf7b2466284fb387"
            ),
        ),
        preprocessing=Preprocessing(crop=384, shortest=440, resample="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD),
        footprint=Footprint(21_811_969, 21_275_521, 12_404_736),
    ),
)


def find(name: str, records: Sequence[WeightsRecord] | None = None) -> WeightsRecord:
    """The record of that name; WeightsError with a hint where there is none."""
    by_name = {record.name: record for record in (RECORDS if records is None else records)}
    if name in by_name:
        return by_name[name]
    close = difflib.get_close_matches(name, by_name, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise WeightsError(f"There are no weights named {name!r}.{hint}")


def needed(detector: str, tier: Tier) -> tuple[WeightsRecord, ...]:
    """What a detector takes in a profile of that tier: its records of the largest tier that the profile holds."""
    held = TIERS[: TIERS.index(tier) + 1]
    own = [record for record in RECORDS if detector in record.detectors and record.tier in held]
    largest = max((TIERS.index(record.tier) for record in own), default=-1)
    return tuple(record for record in own if TIERS.index(record.tier) == largest)


def of_profile(tier: Tier) -> tuple[WeightsRecord, ...]:
    """What the detectors of a built-in profile take, in the order of the table."""
    names = {record.name for one in RECORDS for detector in one.detectors for record in needed(detector, tier)}
    return tuple(record for record in RECORDS if record.name in names)
