"""The plain way: one image and one model at a time, through the hub's own processors, in float32.

A detector joins with one entry in PLAIN; the others are called by themselves with one image.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from PIL import Image

from img_ml.weights.record import WeightsRecord

# What takes one picture and gives its output on the host.
Plain = Callable[[Image.Image], object]


def transformers_way(folder: Path, device: str) -> Plain:
    """AutoImageProcessor and AutoModel, as a model card shows it."""
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval().to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        given = processor(picture, return_tensors="pt").to(device)
        return model(**given).last_hidden_state[:, 0].cpu()

    return run


def open_clip_way(folder: Path, device: str) -> Plain:
    """The transform and encode_image of open_clip."""
    import json

    import open_clip
    from open_clip.transform import image_transform
    from safetensors.torch import load_file

    content = json.loads((folder / "open_clip_config.json").read_text())
    with torch.device("meta"):
        model = open_clip.CLIP(**content["model_cfg"])
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"), assign=True)
    visual = model.visual.eval().to(device)
    facts = content["preprocess_cfg"]
    side = content["model_cfg"]["vision_cfg"]["image_size"]
    transform = image_transform(side, is_train=False, mean=tuple(facts["mean"]), std=tuple(facts["std"]))

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return visual(transform(picture)[None].to(device)).cpu()

    return run


PLAIN: Mapping[str, Callable[[Path, str], Plain]] = {
    "dino": transformers_way,
    "clip_h14": open_clip_way,
    "clip_bigg": open_clip_way,
}


def plain_way(detector: str, record: WeightsRecord | None, weights: Path, device: str) -> Plain | None:
    """The plain way of a detector; None where none is known."""
    if record is None or detector not in PLAIN:
        return None
    return PLAIN[detector](weights / record.name, device)
