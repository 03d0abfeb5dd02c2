"""What this project's networks give on the fixtures' weights and inputs, under the names that the fixtures use."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.authors import rule
from forensics.reading.decode import decode
from forensics.types import Heatmap, ImageSample, Measured
from img_ml.weights.record import Preprocessing
from img_ml.weights.table import find

N = TypeVar("N", bound=nn.Module)
Case = Mapping[str, Any]
# Results by the part of the fixture (from_tensors, from_bytes) and by their name in it.
Results = dict[str, dict[str, list[float]]]


def spai(case: Case) -> Results:
    """Vectors, attention and logit of patches; the detector's probability of pictures."""
    from img_ml.detectors._spai import SpaiDetector
    from img_ml.detectors.spai import signal
    from img_ml.networks.spai.network import Spai
    from img_ml.networks.spai.sizes import SpaiSizes, VitSizes

    told = case["sizes"]
    vit = VitSizes(told["side"], told["patch"], told["width"], told["depth"], told["hidden"])
    projection = told["projection"]
    hidden = told["mlp"] * (6 * vit.depth + projection)
    network = _filled(Spai(SpaiSizes(vit, projection, told["context"], told["heads"], hidden, told["radius"])), case)
    patches = rule.values(case["seed"], "patches", case["from_tensors"]["patches"], 3, vit.side, vit.side)
    vectors = network.mfvit(patches)
    logit, attention = network(vectors[None])
    detector = SpaiDetector(network, "cpu", "0" * 64, signal, batch=4)
    return {
        "from_tensors": {
            "vectors": rule.noted(vectors),
            "attention": rule.noted(attention),
            "logit": rule.noted(logit),
        },
        "from_bytes": {"probability": [_numbers(detector, one)["spai_prob"] for one in _samples(case)]},
    }


def mfm(case: Case) -> Results:
    """Features and loss of masked-frequency modelling, with low and with high frequencies seen."""
    from img_ml.networks.spai.frequencies import centred_mask, split
    from img_ml.networks.spai.sizes import VitSizes
    from img_ml.train.spai.config import FrequencyLossConfig
    from img_ml.train.spai.pretraining import MaskedFrequencyModel

    told = case["sizes"]
    side, width = told["side"], told["width"]
    loss = FrequencyLossConfig(WITH_MATRIX=told["focal"])
    model = MaskedFrequencyModel(VitSizes(side, 16, width, told["depth"], 4 * width), told["radius"], loss)
    model = _filled(model, case)
    images = rule.values(case["seed"], "images", 2, 3, side, side)
    found = {}
    for name, seen in zip(("low", "high"), split(images, centred_mask(side, told["radius"])), strict=True):
        features = model.encoder((seen - model.mean) / model.deviation)
        found[f"features_{name}"] = rule.noted(features)
        found[f"loss_{name}"] = rule.noted(model(images, torch.full((2,), name == "low")))
    return {"from_tensors": found}


def fatformer(case: Case) -> Results:
    """Logits of images, and the probability of pictures in the authors' preprocessing."""
    from img_ml.networks.fatformer.network import FatFormer
    from img_ml.networks.fatformer.sizes import Sizes

    told = case["sizes"]
    layers, step = told["vision_layers"], told["vision_layers"] // told["adapters"]
    sizes = Sizes(
        vision_width=told["vision_width"],
        vision_layers=layers,
        adapters=tuple(range(step - 1, layers, step)),
        patch=told["patch"],
        grid=told["grid"],
        text_width=told["text_width"],
        text_layers=told["text_layers"],
        vocabulary=told["vocabulary"],
    )
    network = FatFormer(sizes).eval().requires_grad_(False)
    # Parts that have two names are filled under the first of them; the wavelet's filters are fixed.
    twice = ("image_encoder.", "text_encoder.")
    own = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith(twice) and name != "logit_scale" and "dwt_transform" not in name
    }
    network.load_state_dict(rule.tensors(own, case["seed"]), strict=False)
    side = sizes.image
    images = rule.values(case["seed"], "images", 2, 3, side, side, low=-2, high=2)
    facts = _preprocessing("fatformer")
    shown = _shown(case, replace(facts, crop=side, squash=round(side * facts.squash / facts.crop)))
    logits = [network(image[None])[0] for image in shown]
    return {
        "from_tensors": {"logits": rule.noted(network(images))},
        "from_bytes": {"probability": [_probability(fake - real) for real, fake in logits]},
    }


def mantranet(case: Case) -> Results:
    """Features and map of an image, and the detector's maps of pictures."""
    from img_ml.detectors._tiled_mantranet import TiledMantraNet
    from img_ml.networks.mantranet.network import MantraNet

    network = _filled(MantraNet(), case)
    pixels = rule.values(case["seed"], "images", 1, 3, 48, 80, high=255)
    maps: list[Heatmap] = []

    def signal(sample: ImageSample, heatmap: Heatmap) -> Measured:
        maps.append(heatmap)
        return Measured("mantranet", {}, "")

    detector = TiledMantraNet(network, "cpu", "0" * 64, signal)
    for sample in _samples(case):
        detector([sample])
    features = functional.normalize(network.IMTFE(pixels), dim=1)
    return {
        "from_tensors": {"features": rule.noted(features), "map": rule.noted(network(pixels))},
        "from_bytes": {"map": [value for one in maps for value in rule.noted(one, 16)]},
    }


def commfor(case: Case) -> Results:
    """Logits of images, and the probability of pictures in the authors' preprocessing."""
    from img_ml.detectors.commfor import PREFIX, SHORTEST, architecture

    told = case["sizes"]
    side = told["input_size"]
    network = _filled(architecture(told["model_size"], side), case, PREFIX)
    images = rule.values(case["seed"], "images", 2, 3, side, side, low=-2, high=2)
    shown = _shown(case, replace(_preprocessing("commfor-384"), crop=side, shortest=SHORTEST[side]))
    return {
        "from_tensors": {"logits": rule.noted(network(images))},
        "from_bytes": {"probability": [_probability(network(image[None])) for image in shown]},
    }


def siglip2(case: Case) -> Results:
    """Logits of embeddings, and what both refiners write into the records of pictures."""
    from safetensors.torch import save_file
    from transformers import SiglipConfig, SiglipModel

    from img_ml.networks.embedding_mlp import EmbeddingMlp
    from img_ml.refiners.aigc_detector import ImageAIGCDetectorRefiner
    from img_ml.refiners.siglip_embedding import ImageSigLIPEmbeddingRefiner

    told = case["sizes"]
    width, hidden = told["vision"]["hidden_size"], told["hidden"]
    described = {"vision_config": told["vision"], "text_config": told["text"]}
    head = _filled(EmbeddingMlp(width, hidden), case)
    records: list[dict[str, Any]] = [{"image": {"bytes": data}} for data in _files(case)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = _filled(SiglipModel(SiglipConfig(**described)), case)
        save_file(
            {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors"
        )
        (folder / "config.json").write_text(json.dumps({"model_type": "siglip", **described}))
        (folder / "preprocessor_config.json").write_text(json.dumps(told["processor"]))
        torch.save(head.state_dict(), folder / "head.pth")
        ImageSigLIPEmbeddingRefiner(str(folder), "cpu", feature_field_name="emb").refine_batch(records)
        ImageAIGCDetectorRefiner("emb", str(folder / "head.pth"), embedding_dim=width, hidden_dims=hidden).refine_batch(
            records
        )
    embeddings = rule.values(case["seed"], "embeddings", 3, width, low=-1)
    return {
        "from_tensors": {"logits": rule.noted(head(embeddings))},
        "from_bytes": {
            "embedding": [value for record in records for value in rule.noted(record["emb"], 8)],
            "probability": [record["image_aigc_score"] for record in records],
        },
    }


def resnet_ft(case: Case) -> Results:
    """Logits of pictures as both classes of the contest's network give them."""
    from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD

    network = _two_classes("picture", case)
    images = rule.values(case["seed"], "pictures", 1, 3, 224, 224, low=-2, high=2)
    mean, deviation = (torch.tensor(told).view(3, 1, 1) for told in (IMAGENET_MEAN, IMAGENET_STD))
    return {"from_tensors": {"odds": rule.noted(network(255 * (images * deviation + mean)))}}


def resnet_hf(case: Case) -> Results:
    """The same over high frequencies; of pictures the middle crop, where the authors draw one."""
    from img_ml.detectors._votes import Voting, crops_of_high_frequencies
    from img_ml.detectors.resnet_hf import SIDE

    network = _two_classes("high_pass", case)
    images = rule.values(case["seed"], "images", 2, 3, SIDE, SIDE, low=-2, high=2)
    crops = [torch.from_numpy(next(crops_of_high_frequencies(one, Voting(), SIDE))) for one in _samples(case)]
    shown = [crop.permute(2, 0, 1).float() for crop in crops]
    return {
        "from_tensors": {"odds": rule.noted(network(255 * images))},
        "from_bytes": {
            "seen": [value for one in shown for value in rule.noted(one / 255, 16)],
            "probability": [_probability(network(one[None])) for one in shown],
        },
    }


def aekl_clf(case: Case) -> Results:
    """The latent image and both logits of images in [0, 1]."""
    from img_ml.networks.autoencoders.latent_classifier import of_architecture

    network = _filled(of_architecture(case["sizes"], 256), case)
    images = rule.values(case["seed"], "images", 1 if case["slow"] else 2, 3, 256, 256)
    return {
        "from_tensors": {
            "latent": rule.noted(network.latent(images)),
            "logits": rule.noted(network.logits(images)),
        }
    }


def tiny_ladeda(case: Case) -> Results:
    """The logits of images; their file calls the head `fc`."""
    from img_ml.networks.tiny_ladeda import TinyLadeda, from_published

    return _baseline(TinyLadeda(), case, "fc", from_published)


def npr(case: Case) -> Results:
    """The same of NPR, whose file calls it `fc1`."""
    from img_ml.networks.npr_resnet import NprResnet
    from img_ml.networks.tiny_ladeda import from_published

    return _baseline(NprResnet(), case, "fc1", from_published)


SYSTEMS: Mapping[str, Callable[[Case], Results]] = {
    "aekl_clf": aekl_clf,
    "commfor": commfor,
    "fatformer": fatformer,
    "mantranet": mantranet,
    "mfm": mfm,
    "npr": npr,
    "resnet_ft": resnet_ft,
    "resnet_hf": resnet_hf,
    "siglip2": siglip2,
    "spai": spai,
    "tiny_ladeda": tiny_ladeda,
}


def _baseline(network: N, case: Case, head: str, named: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]) -> Results:
    """The logits of images in grey levels by a network that is filled through its authors' names."""
    own = network.state_dict()
    theirs = {
        f"{head}.{name.removeprefix('head.')}" if name.startswith("head.") else name: v for name, v in own.items()
    }
    network.load_state_dict(named(rule.tensors(theirs, case["seed"])))
    images = rule.values(case["seed"], "images", 3, 3, 64, 64, high=255).round()
    return {"from_tensors": {"logits": rule.noted(network.eval()(images))}}


def _two_classes(sees: Any, case: Case) -> nn.Module:
    """ResNet-18 whose logit is what the contest's network of two classes (AI, real) says for AI against real."""
    from img_ml.networks.resnet import ResNet18

    network = ResNet18(sees)
    own = network.network.state_dict()
    ends = {"classifier.1.weight": torch.zeros(2, 512), "classifier.1.bias": torch.zeros(2)}
    tensors = rule.tensors({**own, **ends}, case["seed"])
    network.network.load_state_dict(
        {name: value[:1] - value[1:] if name in ends else value for name, value in tensors.items()}
    )
    return network.eval().requires_grad_(False)


def _filled(network: N, case: Case, prefix: str = "") -> N:
    own = network.state_dict()
    network.load_state_dict(rule.tensors(own, case["seed"], case.get("gain", 1.0), prefix))
    return network.eval().requires_grad_(False)


def _probability(logit: Tensor) -> float:
    return float(torch.sigmoid(logit.double()))


def _files(case: Case) -> list[bytes]:
    return rule.files(case["seed"], case["from_bytes"]["pictures"])


def _samples(case: Case) -> Iterator[ImageSample]:
    return (decode(data) for data in _files(case))


def _shown(case: Case, facts: Preprocessing) -> Sequence[Tensor]:
    from img_ml.engine.preprocess import Preprocessor

    preprocess = Preprocessor(facts, "cpu")
    return [preprocess(sample.pixels) for sample in _samples(case)]


def _preprocessing(record: str) -> Preprocessing:
    facts = find(record).preprocessing
    assert facts is not None
    return facts


def _numbers(detector: Callable[[list[ImageSample]], Sequence[object]], sample: ImageSample) -> Mapping[str, float]:
    (found,) = detector([sample])
    assert isinstance(found, Measured)
    return found.numbers
