"""AEROBLADE: how well autoencoders of diffusion models give the whole image back, as its authors measure it."""

import hashlib
import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import ImageSample, Measured, Pixels
from img_ml.detectors._options import options
from img_ml.detectors._votes import mirrored_on
from img_ml.weights.digest import file_sha256
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed, installed_for, pull_command, state_of
from img_ml.weights.table import find

if TYPE_CHECKING:
    from torch import Tensor

    from img_ml.detectors._torch import Outputs
    from img_ml.networks.lpips_vgg import LpipsVgg

SPEC = DetectorSpec(
    name="aeroblade",
    title="AEROBLADE",
    version=1,
    numbers=(Number("aeroblade_distance", 0, 10, "LPIPS distance of the image to its best reconstruction"),),
    looks_at="the whole image beside what the autoencoder of a diffusion model makes of it, in the eyes of a VGG",
    fails_when="the image was compressed, resized or retouched after it was made; it is flat, or without much detail; "
    "it was made by a model whose autoencoder is not among those installed",
    tier="full",
    source="Ricker et al., AEROBLADE: Training-Free Detection of Latent Diffusion Images Using Autoencoder "
    "Reconstruction Error, CVPR 2024; https://github.com/jonasricker/aeroblade (lpips_vgg_2)",
)


def _autoencoder(name: str, licence: str) -> WeightsRecord:
    return WeightsRecord(
        name=name,
        tier="full",
        origin="hub",
        licence=licence,
        where=f"https://huggingface.co/stabilityai/{name}",
        repository=f"stabilityai/{name}",
        files=(WeightFile("config.json", 550), WeightFile("diffusion_pytorch_model.safetensors", 334_643_276)),
        optional=True,
    )


WEIGHTS = (
    WeightsRecord(
        name="vgg16",
        tier="full",
        origin="hub",
        licence="BSD-3-Clause",
        where="https://huggingface.co/timm/vgg16.tv_in1k, torchvision's own weights; 260,160 of its values are kept",
        repository="timm/vgg16.tv_in1k",
        files=(WeightFile("model.safetensors", 553_000_000),),
        # Three autoencoders, and an image of the most pixels in one of them.
        footprint=Footprint(3 * 83_653_863 + 260_288, 3 * 2_101_248 + 260_288, 3_300_000_000, most_views=1),
    ),
    _autoencoder("sd-vae-ft-mse", "MIT"),
    _autoencoder("sdxl-vae", "MIT"),
)
# All that are installed are tried, and the best one counts; the detector `aekl` has the first two.
AUTOENCODERS = ("sd-vae-ft-ema", "autoencoder", "sd-vae-ft-mse", "sdxl-vae")
# What the authors looked at is at most 1024 x 1024; of larger images the middle is taken, at its own resolution.
MOST_PIXELS = 1024 * 1024
# Autoencoders halve a side three times.
_MULTIPLE = 8
# The weights of LPIPS's channels, as its package 0.1.4 carries them.
_HEAD_FILE, _HEAD_KEY = Path("weights") / "v0.1" / "vgg.pth", "lin1.model.1.weight"
HEAD_SHA256 = "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """VGG, LPIPS's head and every autoencoder that is installed, on the setup's device.

    Raises WeightsError where one of the first two is missing, or there is no autoencoder.
    """
    options(setup, SPEC.name, {})
    (trunk,) = installed_for(SPEC.name, setup)
    found = [installed(find(name), setup.weights) for name in AUTOENCODERS if _is_here(name, setup.weights)]
    if not found:
        raise WeightsError(f"{SPEC.name} needs an autoencoder: {pull_command(find(AUTOENCODERS[0]))}")
    import torch

    from img_ml.detectors._torch import Parts
    from img_ml.detectors._whole_images import WholeImages
    from img_ml.networks.autoencoders.aeroblade import Aeroblade
    from img_ml.networks.autoencoders.latent_diffusion import load_autoencoder

    network = Aeroblade(lpips_of(trunk), [load_autoencoder(one.folder, one.record.name) for one in found])
    device, names = torch.device(setup.device), [one.record.name for one in found]

    def seen(sample: ImageSample) -> "list[Tensor]":
        return [torch.from_numpy(framed(sample.pixels)).to(device).permute(2, 0, 1).float()]

    def signal(sample: ImageSample, outputs: "Outputs") -> Measured:
        return _told(outputs[0].tolist(), names)

    mark = hashlib.sha256(" ".join([trunk.digest, HEAD_SHA256, *(one.digest for one in found)]).encode()).hexdigest()
    return WholeImages(Parts(seen, network.eval().requires_grad_(False), signal), setup.device, mark, micro_batch=1)


def framed(pixels: Pixels) -> Pixels:
    """The middle of the image, at most MOST_PIXELS in its shape, with sides that autoencoders can halve."""
    pixels = mirrored_on(pixels, _MULTIPLE)
    share = min(1.0, math.sqrt(MOST_PIXELS / (pixels.shape[0] * pixels.shape[1])))
    sides = [max(_MULTIPLE, int(length * share) // _MULTIPLE * _MULTIPLE) for length in pixels.shape[:2]]
    top, left = ((length - side) // 2 for length, side in zip(pixels.shape[:2], sides, strict=True))
    return np.array(pixels[top : top + sides[0], left : left + sides[1]])


def lpips_of(trunk: Installed) -> "LpipsVgg":
    """LPIPS with the trunk's convolutions and the head of the package lpips; WeightsError where one does not fit."""
    import torch

    from img_ml.networks.lpips_vgg import CONVOLUTIONS, LpipsVgg
    from img_ml.weights.loading import fill, tensors_of

    path, network = _head_file(), LpipsVgg()
    wanted = tuple(f"features.{place}." for place in CONVOLUTIONS)
    published = tensors_of(trunk.file("model.safetensors"), trunk.record.name)
    tensors = {name: value for name, value in published.items() if name.startswith(wanted)}
    head = torch.load(path, map_location="cpu", weights_only=True)[_HEAD_KEY]
    fill(network, {**tensors, "head.weight": head}, trunk.record.name)
    return network


def _head_file() -> Path:
    """The file of the package, which is not imported for it; WeightsError where it is not there or another one."""
    found = find_spec("lpips")
    places = list(found.submodule_search_locations or ()) if found is not None else []
    if not places:
        raise WeightsError(f"{SPEC.name} needs the package lpips: pip install 'lpips>=0.1.4,<0.2'.")
    path = Path(places[0]) / _HEAD_FILE
    if not path.is_file() or file_sha256(path) != HEAD_SHA256:
        raise WeightsError(f"{path} is not that of lpips 0.1.4: install the package again.")
    return path


def _is_here(name: str, weights: Path) -> bool:
    return state_of(find(name), weights) != "missing"


def _told(distances: list[float], names: list[str]) -> Measured:
    """The signal of an image from its distance to what each autoencoder gives back: the least one counts."""
    best = min(distances)
    which = names[distances.index(best)]
    whose = f"the best of {len(names)} autoencoders, {which}," if len(names) > 1 else f"the autoencoder {which}"
    sentence = f"What {whose} gives back of the image has an LPIPS distance of {best:.4f} to it."
    return Measured(SPEC.name, {"aeroblade_distance": best}, sentence)
