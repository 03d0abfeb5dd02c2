"""The published classifiers of the hub that are detectors here; users add others in a profile file."""

from functools import partial

from forensics.registry import detector
from img_ml.detectors._hub_classifier import HubClassifier, load_classifier, published_classifier, spec_of
from img_ml.weights.record import Footprint

_SPELLINGS = (
    *("ai", "ai art", "ai_art", "ai-art", "aiart", "ai generated", "ai_generated", "ai-generated"),
    *("artificial", "fake", "generated", "label_0"),
)
CLASSIFIERS = (
    HubClassifier(
        name="ai_art_resnet",
        title="AI-generated-art classifier",
        # How its authors spell the label is not documented.
        ai_labels=_SPELLINGS,
        fails_when="the image is not art, or its generator is newer than 2023",
        source="artfan123/resnet-18-finetuned-ai-art on the Hugging Face hub, 2023",
    ),
    HubClassifier(
        name="ai_image_detector",
        title="AI image detector",
        ai_labels=("artificial",),
        fails_when="the image is not art, or its generator is newer than October 2022",
        source="umm-maybe/AI-image-detector on the Hugging Face hub, 2022",
    ),
    HubClassifier(
        name="sdxl_detector",
        title="SDXL detector",
        ai_labels=("artificial",),
        fails_when="the generator is not Stable Diffusion XL",
        source="Organika/sdxl-detector on the Hugging Face hub, 2023",
    ),
)

_RESNET = Footprint(11_187_158, 1_026, 7_024_640)
_RESNET_18 = {
    "model_type": "resnet",
    "layer_type": "basic",
    "embedding_size": 64,
    "hidden_sizes": [64, 128, 256, 512],
    "depths": [2, 2, 2, 2],
}
_SWIN = Footprint(86_802_898, 86_617_858, 25_301_248)
_SWIN_B = {"model_type": "swin", "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]}
WEIGHTS = (
    published_classifier(
        "ai_art_resnet",
        "artfan123/resnet-18-finetuned-ai-art",
        "Apache-2.0",
        size=44_800_000,
        footprint=_RESNET,
        architecture=_RESNET_18,
    ),
    published_classifier(
        "ai_image_detector",
        "umm-maybe/AI-image-detector",
        "CC-BY-ND-4.0",
        size=347_600_000,
        footprint=_SWIN,
        architecture=_SWIN_B,
    ),
    published_classifier(
        "sdxl_detector",
        "Organika/sdxl-detector",
        "CC-BY-NC-3.0",
        size=347_600_000,
        footprint=_SWIN,
        architecture=_SWIN_B,
    ),
)

for _one, _record in zip(CLASSIFIERS, WEIGHTS, strict=True):
    detector(spec_of(_one), weights=(_record,))(partial(load_classifier, _one))
