"""Tiny random weights of every learned detector, in the layout of the published ones; the real code loads them.

A detector joins the contract test with one entry in TINY.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import save_file

from benchmarks.support.engine.random_weights import write_aekl, write_aekl_clf, write_aeroblade, write_saturation_cnn
from forensics.registry import Detector
from img_ml.detectors._torch import Precision, TorchDetector
from img_ml.detectors.commfor import architecture
from img_ml.weights.adopt import adopt
from img_ml.weights.record import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, WeightsRecord
from img_ml.weights.store import install
from img_ml.weights.table import find


def write_dino(weights: Path, name: str = "dinov2-base") -> None:
    """DINOv2 of 2 layers on crops of 56 pixels, as save_pretrained writes it."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(len(name))
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14
    )
    processor = {
        "crop_size": {"height": 56, "width": 56},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": IMAGENET_MEAN,
        "image_processor_type": "BitImageProcessor",
        "image_std": IMAGENET_STD,
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 64},
    }

    def fill(folder: Path) -> str:
        Dinov2Model(config).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        return ""

    install(find(name), weights, "tiny", fill)


TINY_CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 56, "layers": 2, "width": 32, "head_width": 16, "mlp_ratio": 2.0, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def write_clip(weights: Path, name: str = "clip-vit-h-14") -> None:
    """CLIP of 2 layers in both towers on crops of 56 pixels, as open_clip pushes it to the hub."""
    import open_clip

    torch.manual_seed(len(name))
    config = {"model_cfg": TINY_CLIP, "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD}}

    def fill(folder: Path) -> str:
        save_file(open_clip.CLIP(**TINY_CLIP).state_dict(), folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        return ""

    install(find(name), weights, "tiny", fill)


def write_commfor(weights: Path) -> None:
    """The smallest network that Community Forensics' authors foresee, as PyTorchModelHubMixin pushes it to the hub."""
    torch.manual_seed(0)
    config = {"device": "cuda", "freeze_backbone": False, "input_size": 224, "model_size": "tiny", "patch_size": 16}
    network = architecture("tiny", 224)
    # timm leaves the head all but at zero, which tells no images apart.
    torch.nn.init.normal_(network.head.weight, std=0.05)  # type: ignore[union-attr, arg-type]

    def fill(folder: Path) -> str:
        save_file({f"vit.{name}": value for name, value in network.state_dict().items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        return ""

    install(unpinned("commfor-384"), weights, "tiny", fill)


def unpinned(name: str) -> WeightsRecord:
    """The record without the SHA-256 of the published files, which no tiny weights have."""
    record = find(name)
    return replace(record, files=tuple(replace(file, sha256="") for file in record.files))


def tiny_fatformer() -> torch.nn.Module:
    """FatFormer of 2 blocks on patches of 56 pixels; groups and heads are as many as in the published one."""
    from img_ml.networks.fatformer.network import FatFormer
    from img_ml.networks.fatformer.sizes import Sizes

    torch.manual_seed(0)
    sizes = Sizes(128, 2, (1,), 4, patch=56, grid=4, text_width=192, text_layers=1, text_length=16, vocabulary=8)
    network = FatFormer(sizes).eval()
    own = [*network.named_parameters(), *((n, b) for n, b in network.named_buffers() if "token" in n)]
    with torch.no_grad():
        for name, tensor in own:
            if tensor.ndim > 1:
                tensor.normal_(std=tensor[0].numel() ** -0.5)
            elif name.endswith("weight"):
                tensor.normal_(mean=1, std=0.1)
            else:
                tensor.normal_(std=0.1)
        network.logit_scale.fill_(2)
    return network


def write_fatformer(weights: Path) -> None:
    """A tiny FatFormer, adopted from a checkpoint as the authors save it."""

    def fill(folder: Path) -> str:
        torch.save({"model": tiny_fatformer().state_dict()}, folder / "checkpoint.pth")
        adopt(find("fatformer"), folder / "checkpoint.pth", folder)
        (folder / "checkpoint.pth").unlink()
        return ""

    install(find("fatformer"), weights, "tiny", fill)


def write_mantranet(weights: Path) -> None:
    """ManTra-Net with its 16 first filters and a few channels after them."""
    from img_ml.networks.mantranet.network import MantraNet, Widths

    torch.manual_seed(0)
    network = MantraNet(Widths((5, 6, 4, 6, 5, 6, 4, 5, 6, 5, 6, 8), adapted=4, state=2))
    for layer in network.IMTFE.middle_and_last_block:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    torch.nn.init.constant_(network.AnomalyDetector.sigma_F, 0.5)
    torch.nn.init.normal_(network.AnomalyDetector.get_parameter("end.0.weight"), std=0.5)

    def fill(folder: Path) -> str:
        save_file(network.state_dict(), folder / "model.safetensors")
        return ""

    install(find("mantranet"), weights, "tiny", fill)


def write_ghostnet(weights: Path) -> None:
    """The smallest GhostNet of timm, as `python -m img_ml.train ghostnet` installs it."""
    from img_ml.networks.ghostnet import ResidualGhostNet

    torch.manual_seed(0)
    network = ResidualGhostNet("ghostnet_050")

    def fill(folder: Path) -> str:
        save_file(network.state_dict(), folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"backbone": "ghostnet_050"}))
        return ""

    install(find("ghostnet"), weights, "tiny", fill)


def write_crop_network(weights: Path, held_out: Mapping[str, int] = MappingProxyType({})) -> None:
    """Three members of one stage each, as `python -m img_ml.train crop_network` installs them."""
    from img_ml.networks.crop_network import CropNetwork
    from img_ml.train.crossfit.onnx_export import exported

    torch.manual_seed(0)
    networks = [CropNetwork("both", 1) for _ in range(3)]
    for network in networks:
        torch.nn.init.normal_(network.head.weight, std=0.3)
    graph = exported(networks, 100_000)

    def fill(folder: Path) -> str:
        (folder / "crop_network.onnx").write_bytes(graph)
        (folder / "config.json").write_text(json.dumps({"held_out": dict(held_out)}))
        return ""

    install(find("crop_network"), weights, "tiny", fill)


def write_clip_b16(weights: Path, held_out: Mapping[str, int] = MappingProxyType({})) -> None:
    """Three heads on one block of 32 channels, as `python -m img_ml.train clip_b16` installs them."""
    from img_ml.networks.clip_tower import ClipTower
    from img_ml.train.clip.graph import heads_graph

    torch.manual_seed(0)
    tower = ClipTower(1, width=32, heads=2)
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    graph = heads_graph(tower, torch.randn(3, 64).numpy(), torch.zeros(3).numpy(), smallest=1000)

    def fill(folder: Path) -> str:
        (folder / "clip_b16.onnx").write_bytes(graph)
        (folder / "config.json").write_text(json.dumps({"held_out": dict(held_out)}))
        return ""

    install(find("clip_b16"), weights, "tiny", fill)


TINY_SIGLIP: dict[str, Any] = {
    "vision_config": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "image_size": 56,
        "patch_size": 14,
    },
    "text_config": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "vocab_size": 64,
        "max_position_embeddings": 8,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
}
SIGLIP_PROCESSOR = {
    "do_convert_rgb": None,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "processor_class": "SiglipProcessor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 56, "width": 56},
}


def write_siglip(weights: Path, name: str = "siglip2-base") -> None:
    """SigLIP of 2 layers on 56 pixels, both towers, as Google's repositories hold it."""

    def fill(folder: Path) -> str:
        save_siglip(folder, seed=len(name))
        return ""

    install(find(name), weights, "tiny", fill)


def save_siglip(folder: Path, seed: int = 0, **vision: int) -> None:
    """The same in a folder, as save_pretrained writes it under the published names."""
    from transformers import SiglipConfig, SiglipModel

    torch.manual_seed(seed)
    sizes = {**TINY_SIGLIP, "vision_config": {**TINY_SIGLIP["vision_config"], **vision}}
    model = SiglipModel(SiglipConfig(**sizes)).eval()
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    described = {"model_type": "siglip", **sizes}
    (folder / "config.json").write_text(json.dumps(described))
    side = sizes["vision_config"]["image_size"]
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**SIGLIP_PROCESSOR, "size": {"height": side, "width": side}})
    )


def write_resnet(weights: Path, name: str, config: Mapping[str, object] = MappingProxyType({})) -> None:
    """A narrow ResNet-18 as `python -m img_ml.train` installs it."""
    from img_ml.networks.resnet import ResNet18

    torch.manual_seed(0)
    network = ResNet18("high_pass" if name == "resnet_hf" else "picture", 4)

    def fill(folder: Path) -> str:
        save_file(network.state_dict(), folder / "model.safetensors")
        (folder / "config.json").write_text(
            json.dumps(dict(config) or {"width": 4, "start": "scratch", "high_frequencies": 2})
        )
        return ""

    install(find(name), weights, "tiny", fill)


ARTIFICIAL = {0: "artificial", 1: "human"}
VIT_PROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": IMAGENET_MEAN,
    "image_processor_type": "ViTImageProcessor",
    "image_std": IMAGENET_STD,
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 32, "width": 32},
}
CONVNEXT_PROCESSOR = {
    "crop_pct": 0.875,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "ConvNextFeatureExtractor",
    "image_mean": IMAGENET_MEAN,
    "image_std": IMAGENET_STD,
    "resample": 3,
    "size": 32,
}


def write_swin(weights: Path, name: str, labels: Mapping[int, str] = ARTIFICIAL) -> None:
    """Swin of two stages on pictures of 32 pixels, as save_pretrained writes it."""
    from transformers import SwinConfig, SwinForImageClassification

    torch.manual_seed(len(name))
    config = SwinConfig(
        image_size=32, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4, id2label=dict(labels)
    )
    network = SwinForImageClassification(config)
    torch.nn.init.normal_(network.get_parameter("classifier.weight"), std=0.2)
    _write_classifier(weights, name, network, VIT_PROCESSOR)


def write_ai_art_resnet(weights: Path, labels: Mapping[int, str] = MappingProxyType({0: "AI_art", 1: "art"})) -> None:
    """A narrow ResNet of transformers, with the processor of ConvNeXT under its older name."""
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic", id2label=dict(labels)
    )
    network = ResNetForImageClassification(config)
    torch.nn.init.normal_(network.get_parameter("classifier.1.weight"), std=0.5)
    _write_classifier(weights, "ai_art_resnet", network, CONVNEXT_PROCESSOR)


def _write_classifier(weights: Path, name: str, network: torch.nn.Module, processor: Mapping[str, object]) -> None:
    def fill(folder: Path) -> str:
        network.save_pretrained(folder)  # type: ignore[operator]
        (folder / "preprocessor_config.json").write_text(json.dumps(dict(processor)))
        return ""

    install(find(name), weights, "tiny", fill)


def tiny_spai() -> torch.nn.Module:
    """SPAI of 2 layers on patches of 224 pixels, in squares of 56."""
    from img_ml.networks.spai.network import Spai
    from img_ml.networks.spai.sizes import SpaiSizes, VitSizes

    torch.manual_seed(0)
    sizes = SpaiSizes(VitSizes(patch=56, width=64, depth=2, hidden=96), projection=16, context=32, heads=2, hidden=40)
    network = Spai(sizes).eval()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if tensor.ndim > 1:
                tensor.normal_(std=tensor[0].numel() ** -0.5)
            elif not name.endswith("weight"):
                tensor.normal_(std=0.1)
    return network


def write_spai(weights: Path) -> None:
    """A tiny SPAI, adopted from a checkpoint as the authors save it."""

    def fill(folder: Path) -> str:
        torch.save({"model": tiny_spai().state_dict(), "epoch": 3}, folder / "checkpoint.pth")
        adopt(find("spai"), folder / "checkpoint.pth", folder)
        (folder / "checkpoint.pth").unlink()
        return ""

    install(find("spai"), weights, "tiny", fill)


@contextmanager
def low_precision(detector: Detector, precision: Precision) -> Iterator[None]:
    """The loaded detector in another precision, for a while."""
    assert isinstance(detector, TorchDetector)
    before = detector.precision
    detector.precision = precision
    try:
        yield
    finally:
        detector.precision = before


# An AutoencoderKL of two levels, in the layout of the published one.
TINY_AUTOENCODER = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "mid_block_add_attention": False,
}


def write_tiny_aekl(weights: Path) -> None:
    """A tiny autoencoder in the place of the published one, and a classifier over its differences."""
    write_aekl(weights, TINY_AUTOENCODER, "resnet10t", side=64)


TINY: Mapping[str, Callable[[Path], None]] = {
    "aeroblade": lambda weights: write_aeroblade(weights, TINY_AUTOENCODER),
    "aekl": write_tiny_aekl,
    "aekl_clf": lambda weights: write_aekl_clf(weights, TINY_AUTOENCODER, side=64),
    "clip_b16": write_clip_b16,
    "clip_bigg": lambda weights: write_clip(weights, "clip-vit-bigg-14"),
    "clip_h14": write_clip,
    "commfor": write_commfor,
    "dino": write_dino,
    "fatformer": write_fatformer,
    "ghostnet": write_ghostnet,
    "mantranet": write_mantranet,
    "crop_network": write_crop_network,
    "siglip2": write_siglip,
    "ai_art_resnet": write_ai_art_resnet,
    "ai_image_detector": lambda weights: write_swin(weights, "ai_image_detector"),
    "resnet_ft": lambda weights: write_resnet(weights, "resnet_ft"),
    "resnet_hf": lambda weights: write_resnet(weights, "resnet_hf"),
    "sdxl_detector": lambda weights: write_swin(weights, "sdxl_detector"),
    "saturation_cnn": lambda weights: write_saturation_cnn(weights, side=64),
    "spai": write_spai,
}
