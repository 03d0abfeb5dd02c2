"""Random weights of the published architectures in the published layout, for measuring time and memory without any.

A detector whose record names a network of transformers joins by itself, others with an entry in _BY_HAND; `--tiny`
takes the small ones of the contract test instead.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from img_ml.weights.record import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from img_ml.weights.store import install, state_of
from img_ml.weights.table import detector_of, find, records

Writer = Callable[[Path], None]
_LABELS = {0: "artificial", 1: "human"}
# How the published classifiers see an image; their records leave it to the file that comes with the weights.
_CLASSIFIERS = Preprocessing(crop=224, squash=224, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def write(detectors: Sequence[str], weights: Path, *, tiny: bool) -> list[str]:
    """Write weights of those detectors that a writer is known for; the names of the others."""
    writers = _tiny_writers() if tiny else WRITERS
    for name in detectors:
        if name in writers:
            writers[name](weights)
    return [name for name in detectors if name not in writers]


def random_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Tensors for a network on the meta device that keep values of about one through its layers.

    A network that is not on the meta device keeps its own.
    """
    torch.manual_seed(0)
    return {name: _random(name, value) if value.is_meta else value for name, value in network.state_dict().items()}


def write_tensors(weights: Path, name: str, network: nn.Module, texts: Mapping[str, object]) -> None:
    """Install a network, filled with random numbers where it has none, as the record of that name."""

    def fill(folder: Path) -> str:
        (tensors,) = (file.name for file in find(name).files if file.name.endswith(".safetensors"))
        save_file({key: value.contiguous() for key, value in random_tensors(network).items()}, folder / tensors)
        for file, content in texts.items():
            (folder / file).write_text(json.dumps(content))
        return ""

    install(find(name), weights, "random", fill)


def write_transformers(weights: Path, name: str) -> None:
    """A network of transformers as save_pretrained writes it; one with labels, where the record is a classifier's."""
    from transformers import AutoConfig, AutoModel, AutoModelForImageClassification

    record = find(name)
    is_classifier = record.preprocessing is None
    config = AutoConfig.for_model(**record.architecture)
    if is_classifier:
        config.id2label = _LABELS
    kind = AutoModelForImageClassification if is_classifier else AutoModel
    with torch.device("meta"):
        network = kind.from_config(config)
    described = {**config.to_dict(), "architectures": [type(network).__name__]}
    texts = {"config.json": described, "preprocessor_config.json": _processor(record.preprocessing or _CLASSIFIERS)}
    write_tensors(weights, name, network, texts)


def write_clip(weights: Path, name: str) -> None:
    """A CLIP model of open_clip as it is pushed to the hub."""
    import open_clip

    config: dict[str, Any] = open_clip.get_model_config(find(name).architecture["model"])
    with torch.device("meta"):
        network = open_clip.CLIP(**config)
    described = {"model_cfg": config, "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD}}
    write_tensors(weights, name, network, {"open_clip_config.json": described})


def write_commfor(weights: Path) -> None:
    """Community Forensics as its authors push it to the hub."""
    from img_ml.detectors.commfor import PREFIX, architecture

    sizes = find("commfor-384").architecture
    with torch.device("meta"):
        network = nn.ModuleDict({PREFIX.rstrip("."): architecture(**sizes)})
    config = {"device": "cuda", "freeze_backbone": False, "patch_size": 16, **sizes}
    write_tensors(weights, "commfor-384", network, {"config.json": config})


def write_fatformer(weights: Path) -> None:
    """FatFormer as it is adopted."""
    from img_ml.networks.fatformer.network import FatFormer
    from img_ml.networks.fatformer.sizes import Sizes

    with torch.device("meta"):
        network = FatFormer(Sizes())
    write_tensors(weights, "fatformer", network, {})


def write_mantranet(weights: Path) -> None:
    """ManTra-Net, whose filters are what they are when it is built."""
    from img_ml.networks.mantranet.network import MantraNet

    write_tensors(weights, "mantranet", MantraNet(), {})


def write_ghostnet(weights: Path) -> None:
    """GhostNet as it is trained."""
    from img_ml.networks.ghostnet import BACKBONES, ResidualGhostNet

    write_tensors(weights, "ghostnet", ResidualGhostNet(), {"config.json": {"backbone": BACKBONES[0]}})


def write_crop_network(weights: Path) -> None:
    """Three members of the size that is packaged."""
    from img_ml.networks.crop_network import CropNetwork
    from img_ml.train.crossfit.crossfit import LARGEST_MEMBER
    from img_ml.train.crossfit.onnx_export import exported

    torch.manual_seed(0)
    graph = exported([CropNetwork("rgb") for _ in range(3)], LARGEST_MEMBER)

    def fill(folder: Path) -> str:
        (folder / "crop_network.onnx").write_bytes(graph)
        (folder / "config.json").write_text(json.dumps({"held_out": {}}))
        return ""

    install(find("crop_network"), weights, "random", fill)


def write_resnet(weights: Path, name: str) -> None:
    """A ResNet-18 as it is trained."""
    from img_ml.networks.resnet import WIDTH, ResNet18

    network = ResNet18("high_pass" if name == "resnet_hf" else "picture")
    write_tensors(weights, name, network, {"config.json": {"width": WIDTH, "start": "scratch"}})


def write_saturation_cnn(weights: Path, side: int = 224) -> None:
    """The inverted and saturated CNN as it is trained."""
    from img_ml.networks.saturation_cnn import SaturationCNN

    torch.manual_seed(0)
    write_tensors(weights, "saturation_cnn", SaturationCNN(8), {"config.json": {"saturation": 8, "side": side}})


def write_aekl(
    weights: Path, sizes: Mapping[str, Any] | None = None, backbone: str = "resnet18", side: int = 256
) -> None:
    """An autoencoder as diffusers saves it, and the classifier as it is trained over it."""
    from diffusers import AutoencoderKL

    from img_ml.detectors.aekl import CLASSIFIER, tensors_sha256
    from img_ml.networks.autoencoders.aekl import DifferenceClassifier
    from img_ml.weights.store import installed

    torch.manual_seed(0)
    name = "sd-vae-ft-ema"
    network = AutoencoderKL(**(find(name).architecture if sizes is None else sizes))

    def saved(folder: Path) -> str:
        network.save_pretrained(folder)
        return ""

    install(find(name), weights, "random", saved)
    sha256 = tensors_sha256(installed(find(name), weights))
    config = {"backbone": backbone, "side": side, "autoencoder": name, "autoencoder_sha256": sha256}
    write_tensors(weights, CLASSIFIER, DifferenceClassifier(backbone, network), {"config.json": config})


def write_aekl_clf(weights: Path, sizes: Mapping[str, Any] | None = None, side: int = 256) -> None:
    """The encoder of an autoencoder with the classifier over it, as it is trained."""
    from img_ml.networks.autoencoders.latent_classifier import of_architecture

    torch.manual_seed(0)
    architecture = dict(find("sd-vae-ft-ema").architecture if sizes is None else sizes)
    config = {"side": side, "autoencoder": json.dumps(architecture)}
    write_tensors(weights, "aekl_clf", of_architecture(architecture, side), {"config.json": config})


def write_aeroblade(weights: Path, sizes: Mapping[str, Any] | None = None) -> None:
    """VGG's first convolutions under their published names, and two autoencoders."""
    from diffusers import AutoencoderKL

    from img_ml.networks.lpips_vgg import LpipsVgg

    torch.manual_seed(0)
    trunk = LpipsVgg()
    del trunk.head
    write_tensors(weights, "vgg16", trunk, {})
    for name in ("sd-vae-ft-ema", "sd-vae-ft-mse"):
        if state_of(find(name), weights) != "missing":
            # A classifier of aekl may have been made over it.
            continue
        network = AutoencoderKL(**(find("sd-vae-ft-ema").architecture if sizes is None else sizes))

        def saved(folder: Path, network: AutoencoderKL = network) -> str:
            network.save_pretrained(folder)
            return ""

        install(find(name), weights, "random", saved)


def write_spai(weights: Path) -> None:
    """SPAI as it is adopted; its circle is what it is when it is built."""
    from img_ml.networks.spai.frequencies import circular_mask
    from img_ml.networks.spai.network import Spai
    from img_ml.networks.spai.sizes import SpaiSizes

    sizes = SpaiSizes()
    with torch.device("meta"):
        network = Spai(sizes)
    network.mfvit.frequencies_mask = circular_mask(sizes.vit.side, sizes.radius)
    write_tensors(weights, "spai", network, {})


def _processor(facts: Preprocessing) -> dict[str, object]:
    """A preprocessor_config.json that says what the record says."""
    side = {"height": facts.squash, "width": facts.squash} if facts.squash else {"shortest_edge": facts.shortest}
    return {
        "image_processor_type": "BitImageProcessor",
        "do_resize": True,
        "size": side,
        "resample": {"bilinear": 2, "bicubic": 3}[facts.resample],
        "do_center_crop": not facts.squash,
        "crop_size": {"height": facts.crop, "width": facts.crop},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": facts.mean,
        "image_std": facts.std,
        "do_convert_rgb": True,
    }


def missing_word(names: Iterable[str]) -> str:
    """What is left out, in a sentence."""
    return f"Left out, for no writer of random weights is known: {', '.join(names)}."


def _random(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return torch.zeros(value.shape, dtype=value.dtype)
    if name.endswith("logit_scale"):
        return torch.full(value.shape, math.log(100.0))
    if value.ndim < 2:
        one = name.endswith(("weight", "running_var", "lambda1"))
        return torch.full(value.shape, 1.0 if one else 0.0)
    return torch.randn(value.shape) / math.sqrt(math.prod(value.shape[1:]))


def _tiny_writers() -> Mapping[str, Writer]:
    from tests.img_ml.tiny import TINY

    # Where a detector has several sizes, the one of the largest profile.
    return {**TINY, "dino": lambda weights: _tiny_dino(weights), "siglip2": lambda weights: _tiny_siglip(weights)}


def _tiny_dino(weights: Path) -> None:
    from tests.img_ml.tiny import write_dino

    for name in ("dinov2-base", "dinov2-large"):
        write_dino(weights, name)


def _tiny_siglip(weights: Path) -> None:
    from tests.img_ml.tiny import write_siglip

    for name in ("siglip2-base", "siglip2-so400m"):
        write_siglip(weights, name)


_BY_HAND: Mapping[str, Writer] = {
    "aeroblade": write_aeroblade,
    "aekl": write_aekl,
    "aekl_clf": write_aekl_clf,
    "clip_h14": lambda weights: write_clip(weights, "clip-vit-h-14"),
    "clip_bigg": lambda weights: write_clip(weights, "clip-vit-bigg-14"),
    "commfor": write_commfor,
    "fatformer": write_fatformer,
    "ghostnet": write_ghostnet,
    "mantranet": write_mantranet,
    "crop_network": write_crop_network,
    "resnet_ft": lambda weights: write_resnet(weights, "resnet_ft"),
    "resnet_hf": lambda weights: write_resnet(weights, "resnet_hf"),
    "saturation_cnn": write_saturation_cnn,
    "spai": write_spai,
}
# A record that says which network of transformers it holds needs nothing more. Of several sizes, the largest.
WRITERS: Mapping[str, Writer] = {
    **{
        detector_of(record): partial(write_transformers, name=record.name)
        for record in records()
        if "model_type" in record.architecture
    },
    **_BY_HAND,
}
