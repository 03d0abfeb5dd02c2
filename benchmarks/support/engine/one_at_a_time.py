"""The plain way: one image and one model at a time, in float32, by the libraries that model cards show.

A detector joins with one entry in PLAIN; the benchmark leaves those without one out of the comparison, and names them.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from img_ml.weights.record import Preprocessing
from img_ml.weights.store import Installed

if TYPE_CHECKING:
    from img_ml.networks.resnet import Sees

# What takes one picture and gives its output on the host.
Plain = Callable[[Image.Image], object]


def transformers_way(weights: Installed, device: str) -> Plain:
    """AutoImageProcessor and AutoModel, as a model card shows it."""
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(weights.folder, local_files_only=True)
    model = AutoModel.from_pretrained(weights.folder, local_files_only=True).eval().to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        given = processor(picture, return_tensors="pt").to(device)
        return model(**given).last_hidden_state[:, 0].cpu()

    return run


def classifier_way(weights: Installed, device: str) -> Plain:
    """AutoImageProcessor and AutoModelForImageClassification, as a model card shows it."""
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    processor = AutoImageProcessor.from_pretrained(weights.folder, local_files_only=True)
    model = AutoModelForImageClassification.from_pretrained(weights.folder, local_files_only=True).eval().to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return model(**processor(picture, return_tensors="pt").to(device)).logits.cpu()

    return run


def siglip_way(weights: Installed, device: str) -> Plain:
    """AutoImageProcessor and SiglipVisionModel, as a model card shows it."""
    from transformers import AutoImageProcessor, SiglipVisionModel

    processor = AutoImageProcessor.from_pretrained(weights.folder, local_files_only=True)
    model = SiglipVisionModel.from_pretrained(weights.folder, local_files_only=True).eval().to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return model(**processor(picture, return_tensors="pt").to(device)).pooler_output.cpu()

    return run


def open_clip_way(weights: Installed, device: str) -> Plain:
    """The transform and encode_image of open_clip."""
    import json

    import open_clip
    from open_clip.transform import image_transform
    from safetensors.torch import load_file

    content = json.loads(weights.file("open_clip_config.json").read_text())
    with torch.device("meta"):
        model = open_clip.CLIP(**content["model_cfg"])
    model.load_state_dict(load_file(weights.file("open_clip_model.safetensors")), assign=True)
    facts = content["preprocess_cfg"]
    side = content["model_cfg"]["vision_cfg"]["image_size"]
    transform = image_transform(side, is_train=False, mean=tuple(facts["mean"]), std=tuple(facts["std"]))
    return _transformed(transform, model.visual.eval(), device)


def commfor_way(weights: Installed, device: str) -> Plain:
    """torchvision's transforms and the bare network."""
    from img_ml.detectors.commfor import network_of

    network, facts = network_of(weights)
    return _transformed(_torchvision(facts), network.eval(), device)


def fatformer_way(weights: Installed, device: str) -> Plain:
    """torchvision's transforms and the bare network."""
    from img_ml.detectors.fatformer import network_of

    assert weights.record.preprocessing is not None
    network = network_of(weights, weights.record.preprocessing.crop)
    return _transformed(_torchvision(weights.record.preprocessing), network, device)


def ghostnet_way(weights: Installed, device: str) -> Plain:
    """One crop after the other."""
    from img_ml.detectors.ghostnet import full_crops, network_of

    network = network_of(weights).to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return [network(_grey_levels(crop, device)).cpu() for crop in full_crops(np.array(picture))]

    return run


def mantranet_way(weights: Installed, device: str) -> Plain:
    """The whole picture at once."""
    from img_ml.detectors.mantranet import network_of

    network = network_of(weights).to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return network(_grey_levels(np.array(picture), device)).cpu()

    return run


def resnet_way(weights: Installed, device: str, *, sees: "Sees", side: int) -> Plain:
    """The picture resized, or the crop in its middle, through the bare network."""
    from img_ml.detectors._resnet import network_of

    cut = v2.Resize((side, side), antialias=True) if sees == "picture" else v2.CenterCrop(side)
    transform = v2.Compose([v2.PILToTensor(), cut, v2.ToDtype(torch.float32)])
    return _transformed(transform, network_of(weights, sees), device)


def saturation_way(weights: Installed, device: str) -> Plain:
    """One crop after the other."""
    from img_ml.detectors.saturation_cnn import crops, network_of

    network, side = network_of(weights)
    network.to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return [network(_grey_levels(crop, device)).cpu() for crop in crops(np.array(picture), side)]

    return run


def aekl_way(weights: Installed, device: str) -> Plain:
    """The crop in the middle and the whole picture squashed, one after the other, through the autoencoder alone."""
    from img_ml.detectors.aekl import SIDE
    from img_ml.networks.autoencoders.latent_diffusion import load_autoencoder, reconstructed

    network = load_autoencoder(weights.folder, weights.record.name).to(device)
    cut = (v2.CenterCrop(SIDE), v2.Resize((SIDE, SIDE), antialias=True))

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        views = (np.array(one(picture)) for one in cut)
        return [reconstructed(network, _grey_levels(view, device)).cpu() for view in views]

    return run


def aeroblade_way(weights: Installed, device: str) -> Plain:
    """The whole picture through one autoencoder after the other, and VGG over both pictures each time."""
    from img_ml.detectors.aeroblade import AUTOENCODERS, framed, lpips_of
    from img_ml.networks.autoencoders.latent_diffusion import HALF, load_autoencoder, reconstructed

    folders = [weights.folder.parent / name for name in AUTOENCODERS]
    networks = [load_autoencoder(folder, folder.name).to(device) for folder in folders if folder.is_dir()]
    lpips = lpips_of(weights).eval().to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        shown = _grey_levels(framed(np.array(picture)), device)
        again = (reconstructed(network, shown).floor() for network in networks)
        return [lpips(shown / HALF - 1, one / HALF - 1).cpu() for one in again]

    return run


def latent_way(weights: Installed, device: str) -> Plain:
    """The whole picture squashed, through encoder and classifier."""
    from img_ml.detectors.aekl_clf import network_of

    network, side = network_of(weights)
    network = network.to(device)
    squashed = v2.Resize((side, side), antialias=True)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return network(_grey_levels(np.array(squashed(picture)), device)).cpu()

    return run


def spai_way(weights: Installed, device: str) -> Plain:
    """One patch after the other, as they lie side by side, and attention over all of them."""
    from safetensors.torch import load_file

    from img_ml.networks.spai.network import spai_of

    network = spai_of(load_file(weights.file("model.safetensors")), weights.record.name).to(device)
    side = network.sizes.vit.side

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        pixels = _grey_levels(np.array(picture), device) / 255
        rows, columns = (max(length // side, 1) for length in pixels.shape[2:])
        corners = [(side * row, side * column) for row in range(rows) for column in range(columns)]
        patches = [v2.functional.crop(pixels, top, left, side, side) for top, left in corners]
        return network(torch.cat([network.mfvit(patch) for patch in patches])[None])[0].cpu()

    return run


def _torchvision(facts: Preprocessing) -> v2.Compose:
    size = (facts.squash, facts.squash) if facts.squash else facts.shortest
    return v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize(size, v2.InterpolationMode(facts.resample), antialias=True),
            v2.CenterCrop(facts.crop),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(facts.mean, facts.std),
        ]
    )


def _transformed(transform: Callable[[Image.Image], Tensor], network: nn.Module, device: str) -> Plain:
    network.to(device)

    @torch.inference_mode()
    def run(picture: Image.Image) -> object:
        return network(transform(picture)[None].to(device)).cpu()

    return run


def _grey_levels(pixels: np.ndarray, device: str) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].to(device).float()


PLAIN: Mapping[str, Callable[[Installed, str], Plain]] = {
    "dino": transformers_way,
    "clip_h14": open_clip_way,
    "clip_bigg": open_clip_way,
    "commfor": commfor_way,
    "fatformer": fatformer_way,
    "ghostnet": ghostnet_way,
    "mantranet": mantranet_way,
    "siglip2": siglip_way,
    "saturation_cnn": saturation_way,
    "spai": spai_way,
    "aekl": aekl_way,
    "aeroblade": aeroblade_way,
    "aekl_clf": latent_way,
    "ai_art_resnet": classifier_way,
    "ai_image_detector": classifier_way,
    "sdxl_detector": classifier_way,
    "resnet_ft": partial(resnet_way, sees="picture", side=224),
    "resnet_hf": partial(resnet_way, sees="high_pass", side=80),
}
