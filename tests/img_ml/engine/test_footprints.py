"""The footprints that plans go by are those of the published architectures, counted without their memory."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from img_ml.engine.footprint import footprint
from img_ml.networks.resnet import Sees
from img_ml.weights.table import find, records

Core = Callable[[Tensor], Tensor]
Network = tuple[nn.Module, Core]


def dinov2(name: str) -> Network:
    from transformers import AutoConfig, AutoModel

    model = AutoModel.from_config(AutoConfig.for_model(**find(name).architecture))
    return model, lambda views: model(pixel_values=views).last_hidden_state


def classifier(name: str) -> Network:
    from transformers import AutoConfig, AutoModelForImageClassification

    network = AutoModelForImageClassification.from_config(AutoConfig.for_model(**find(name).architecture, num_labels=2))
    return network, lambda views: network(pixel_values=views).logits


def clip(name: str) -> Network:
    import open_clip

    config: dict[str, Any] = open_clip.get_model_config(find(name).architecture["model"])
    tower = open_clip.CLIP(**config).visual
    return tower, tower


def fatformer() -> Network:
    from img_ml.networks.fatformer.network import FatFormer
    from img_ml.networks.fatformer.sizes import Sizes

    network = FatFormer(Sizes())
    return network, network


def commfor() -> Network:
    from img_ml.detectors.commfor import architecture

    network = architecture(**find("commfor-384").architecture)
    return network, network


def ghostnet() -> Network:
    from img_ml.networks.ghostnet import ResidualGhostNet

    network = ResidualGhostNet()
    return network, network


def siglip(name: str) -> Network:
    from transformers import AutoConfig

    from img_ml.detectors._siglip import SiglipTower, empty

    network = SiglipTower(empty(AutoConfig.for_model(**find(name).architecture)))
    return network, network


def spai() -> Network:
    from img_ml.networks.spai.network import Spai
    from img_ml.networks.spai.sizes import SpaiSizes

    # Attention runs on the host.
    network = Spai(SpaiSizes()).mfvit
    return network, network


def saturation_cnn() -> Network:
    from img_ml.networks.saturation_cnn import SaturationCNN

    network = SaturationCNN(8)
    return network, network


def autoencoder() -> Network:
    from diffusers import AutoencoderKL

    from img_ml.networks.autoencoders.aekl import Aekl

    network = Aekl(AutoencoderKL(**find("sd-vae-ft-ema").architecture), None)
    return network, network


def trained_autoencoder() -> Network:
    from img_ml.networks.autoencoders.aekl import Aekl
    from img_ml.train.autoencoders.latent_diffusion import Shape, small_autoencoder

    network = Aekl(small_autoencoder(Shape()), None)
    return network, network


def difference_classifier() -> Network:
    from img_ml.networks.autoencoders.aekl import BACKBONES, classifier

    network = classifier(BACKBONES[0])
    return network, network


def latent_classifier() -> Network:
    from img_ml.networks.autoencoders.latent_classifier import of_architecture

    network = of_architecture(dict(find("sd-vae-ft-ema").architecture), 256)
    return network, network


def resnet(sees: Sees) -> Network:
    from img_ml.networks.resnet import ResNet18

    network = ResNet18(sees)
    return network, network


NETWORKS: Mapping[str, tuple[Callable[[], Network], int]] = {
    "dinov2-base": (lambda: dinov2("dinov2-base"), 224),
    "dinov2-large": (lambda: dinov2("dinov2-large"), 224),
    "clip-vit-h-14": (lambda: clip("clip-vit-h-14"), 224),
    "clip-vit-bigg-14": (lambda: clip("clip-vit-bigg-14"), 224),
    "fatformer": (fatformer, 224),
    "siglip2-base": (lambda: siglip("siglip2-base"), 224),
    "siglip2-so400m": (lambda: siglip("siglip2-so400m"), 384),
    "commfor-384": (commfor, 384),
    "ghostnet": (ghostnet, 224),
    "spai": (spai, 224),
    "saturation_cnn": (saturation_cnn, 224),
    "sd-vae-ft-ema": (autoencoder, 256),
    "autoencoder": (trained_autoencoder, 256),
    "aekl": (difference_classifier, 256),
    "aekl_clf": (latent_classifier, 256),
    "resnet_ft": (lambda: resnet("picture"), 224),
    "resnet_hf": (lambda: resnet("high_pass"), 80),
    "ai_art_resnet": (lambda: classifier("ai_art_resnet"), 224),
    "ai_image_detector": (lambda: classifier("ai_image_detector"), 224),
    "sdxl_detector": (lambda: classifier("sdxl_detector"), 224),
}
# Networks that switch autocast off, which the meta device does not know.
PRETENDED = {"ghostnet", "resnet_ft", "resnet_hf", "saturation_cnn"}
# Counted by hand: two parts that run one after the other over tiles, and an image through several autoencoders.
BY_HAND = {"mantranet", "vgg16"}


def without_memory(name: str) -> AbstractContextManager[Any]:
    """The meta device, or tensors that only pretend to have values."""
    return FakeTensorMode() if name in PRETENDED else torch.device("meta")


def test_every_footprint_of_the_table_is_checked() -> None:
    assert set(NETWORKS) | BY_HAND == {record.name for record in records() if record.footprint is not None}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_footprint_is_that_of_the_published_architecture(name: str) -> None:
    build, side = NETWORKS[name]
    with without_memory(name):
        network, core = build()
        counted, told = footprint(network.eval(), core, (3, side, side)), find(name).footprint
    assert told is not None
    assert (counted.parameters, counted.matrices, counted.view_bytes) == (
        told.parameters,
        told.matrices,
        told.view_bytes,
    )


def test_mantranet_is_counted_by_its_larger_part_and_what_is_kept() -> None:
    from img_ml.detectors._tiled_mantranet import MOST_KEPT, SIDE
    from img_ml.networks.mantranet.network import MantraNet

    told = find("mantranet").footprint
    assert told is not None
    with FakeTensorMode():
        network = MantraNet().eval()
        counted = footprint(network, network.adapted, (3, SIDE, SIDE))
    kept = 256 * MOST_KEPT
    assert counted.parameters == told.parameters
    assert counted.view_bytes <= told.view_bytes - kept <= 1.2 * counted.view_bytes
