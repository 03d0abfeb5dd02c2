"""The published classifiers of the hub that are detectors here; users add others in a profile file."""

from functools import partial

from forensics.registry import detector
from img_ml.detectors._hub_classifier import HubClassifier, load_classifier, spec_of

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
        fails_when="the image is no art, or its generator is newer than 2023",
        source="artfan123/resnet-18-finetuned-ai-art on the Hugging Face hub, 2023",
    ),
    HubClassifier(
        name="ai_image_detector",
        title="AI image detector",
        ai_labels=("artificial",),
        fails_when="the image is no art, or its generator is newer than October 2022",
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

for _one in CLASSIFIERS:
    detector(spec_of(_one))(partial(load_classifier, _one))
