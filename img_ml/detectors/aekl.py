"""Autoencoder reconstruction: what the autoencoder of a diffusion model changes, measured and classified."""

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import Heatmap, ImageSample, Measured
from img_ml.detectors._votes import Voting, resized, views
from img_ml.detectors._voting import chosen_voting
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord, trained_weights
from img_ml.weights.store import Installed, installed, pull_command, state_of
from img_ml.weights.table import find

if TYPE_CHECKING:
    from torch import Tensor, nn

    from img_ml.detectors._torch import Outputs

SPEC = DetectorSpec(
    name="aekl",
    title="Autoencoder reconstruction",
    version=1,
    numbers=(
        Number("aekl_prob", 0, 1, "probability of AI by what an autoencoder changes", headline=True),
        Number("aekl_distance", 0, 255, "how badly an autoencoder gives the image back, beside the image's detail"),
    ),
    looks_at="the difference of a native crop from what the autoencoder of a diffusion model makes of it",
    fails_when="the image was compressed, resized or retouched after it was made, or made without such an autoencoder",
    tier="full",
    source="Ricker et al., AEROBLADE: Training-Free Detection of Latent Diffusion Images Using Autoencoder "
    "Reconstruction Error, CVPR 2024; the classifier over the difference is trained by python -m img_ml.train aekl",
)
WEIGHTS = (
    WeightsRecord(
        name="sd-vae-ft-ema",
        tier="full",
        origin="hub",
        licence="MIT",
        where="https://huggingface.co/stabilityai/sd-vae-ft-ema",
        repository="stabilityai/sd-vae-ft-ema",
        files=(WeightFile("config.json", 550), WeightFile("diffusion_pytorch_model.safetensors", 334_643_276)),
        architecture={
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "layers_per_block": 2,
            "latent_channels": 4,
            "norm_num_groups": 32,
            "sample_size": 256,
        },
        footprint=Footprint(83_653_863, 2_101_248, 202_162_176, most_views=4),
    ),
    trained_weights(
        "autoencoder",
        3_700_000,
        Footprint(921_031, 0, 51_314_688, most_views=4),
        where="a small one, trained on images of your own where the published one cannot be had",
        tensors="diffusion_pytorch_model.safetensors",
        optional=True,
    ),
    trained_weights(
        "aekl",
        44_800_000,
        Footprint(11_186_645, 513, 9_175_040, most_views=4),
        where="nobody publishes them; they are trained on images of your own, over one of the autoencoders",
    ),
)
# The autoencoders, the published one first.
AUTOENCODERS = ("sd-vae-ft-ema", "autoencoder")
CLASSIFIER = "aekl"
# The side of the crops where no classifier was trained for another, and what every side is a multiple of.
SIDE, MULTIPLE = 256, 32
# Detail that even a flat image is said to have (grey levels), so that nothing is divided by zero.
_FLOOR = 1.0


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """Autoencoder and, where it was trained, the classifier; without the latter `aekl_prob` is NaN.

    Raises WeightsError where there is no autoencoder, or not the one that the classifier was trained with.
    """
    voting = chosen_voting(setup, SPEC.name)
    trained = _trained(setup)
    autoencoder = _autoencoder(setup, trained)
    import torch

    from img_ml.detectors._torch import Parts, TorchDetector
    from img_ml.networks.autoencoders.aekl import Aekl
    from img_ml.networks.autoencoders.latent_diffusion import load_autoencoder

    classifier = None if trained is None else _classifier(trained)
    side = SIDE if trained is None else _side(trained)
    network = Aekl(load_autoencoder(autoencoder.folder, autoencoder.record.name), classifier)
    device = torch.device(setup.device)

    def seen(sample: ImageSample) -> "Iterator[Tensor]":
        # The last one is the whole picture, for the map.
        for view in (*views(sample, voting, side, "crop"), resized(sample.pixels, side)):
            yield torch.from_numpy(np.array(view)).to(device).permute(2, 0, 1).float()

    marks = [autoencoder.digest, *([trained.digest] if trained else []), f"votes={voting.mark}"]
    parts = Parts(seen, network.eval().requires_grad_(False), _signal_of(voting if trained else None))
    return TorchDetector(parts, setup.device, _together(marks), micro_batch=4)


def _trained(setup: Setup) -> Installed | None:
    """The classifier, None where nobody has trained it."""
    record = find(CLASSIFIER)
    return None if state_of(record, setup.weights) == "missing" else installed(record, setup.weights)


def _autoencoder(setup: Setup, trained: Installed | None) -> Installed:
    """The autoencoder of the profile's option, else the one of the classifier, else the first that is installed."""
    named, wanted = setup.options.get("weights"), None if trained is None else _facts(trained)
    if named is not None and named not in AUTOENCODERS:
        raise WeightsError(
            f"{named} is not an autoencoder: change the option weights of {SPEC.name} names {_either()}."
        )
    here = [name for name in AUTOENCODERS if state_of(find(name), setup.weights) != "missing"]
    name = named or (wanted[0] if wanted else next(iter(here), None))
    if name is None or name not in here:
        which = _either() if name is None else name
        record = find(name or AUTOENCODERS[0])
        raise WeightsError(f"{SPEC.name} needs an autoencoder, and {which} is not installed: {pull_command(record)}")
    found = installed(find(name), setup.weights)
    if wanted is not None and tensors_sha256(found) != wanted[1]:
        raise WeightsError(
            f"The classifier of {SPEC.name} was trained with another autoencoder than the {name} installed here: "
            f"{pull_command(find(CLASSIFIER))}"
        )
    return found


def tensors_sha256(autoencoder: Installed) -> str:
    """The SHA-256 of an installed autoencoder's tensors: what a classifier remembers of it."""
    from img_ml.networks.autoencoders.latent_diffusion import TENSORS
    from img_ml.weights.digest import known_sha256

    return known_sha256(autoencoder.file(TENSORS))


def _facts(trained: Installed) -> tuple[str, str]:
    """The name and the SHA-256 of the autoencoder that a classifier was trained with."""
    config = _config(trained)
    try:
        name, sha256 = str(config["autoencoder"]), str(config["autoencoder_sha256"])
    except KeyError as error:
        raise WeightsError(f"The config.json of {CLASSIFIER} does not say its {error.args[0]}.") from None
    if name not in AUTOENCODERS:
        raise WeightsError(f"The config.json of {CLASSIFIER} names the autoencoder {name!r}: it can be {_either()}.")
    return name, sha256


def _side(trained: Installed) -> int:
    """The side of the crops that a classifier was trained on."""
    side = _config(trained).get("side")
    if not isinstance(side, int) or side < MULTIPLE or side % MULTIPLE:
        raise WeightsError(f"The config.json of {CLASSIFIER} names the side {side!r}: it is a multiple of {MULTIPLE}.")
    return side


def _classifier(trained: Installed) -> "nn.Module":
    from img_ml.networks.autoencoders.aekl import BACKBONES, classifier
    from img_ml.weights.loading import fill, tensors_of

    backbone = _config(trained).get("backbone")
    if backbone not in BACKBONES:
        raise WeightsError(f"{CLASSIFIER} holds a {backbone!r}, not one of {', '.join(BACKBONES)}.")
    network = classifier(str(backbone))
    prefix = "classifier."
    tensors = tensors_of(trained.file("model.safetensors"), CLASSIFIER)
    fill(network, {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}, CLASSIFIER)
    return network


def _config(trained: Installed) -> dict[str, object]:
    try:
        found = json_of(trained.file("config.json").read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        raise ValueError("it is not a JSON object")
    except (OSError, ValueError) as error:
        raise WeightsError(f"The config.json of {CLASSIFIER} cannot be read: {error}") from error


def _signal_of(voting: Voting | None) -> Callable[[ImageSample, "Outputs"], Measured]:
    """What becomes of the outputs: the views of the votes, then the whole picture; None where nothing was trained."""

    def signal(sample: ImageSample, outputs: "Outputs") -> Measured:
        logits, errors, details = outputs[:-1, :3].T.astype(np.float64)
        distance = float(np.mean(errors / (details + _FLOOR)))
        probability = math.nan if voting is None else voting.probability(logits)
        sentence = (
            f"An autoencoder gives the image back with an error of {errors.mean():.1f} grey levels, {distance:.2f} "
            "times its detail"
        )
        judged = f"; the classifier gives that a probability of {probability:.0%} for AI." if voting else "."
        numbers = {"aekl_prob": probability, "aekl_distance": min(distance, 255.0)}
        return Measured(SPEC.name, numbers, sentence + judged, heatmap=_heatmap(sample, outputs[-1, 3:]))

    return signal


def _heatmap(sample: ImageSample, maps: "Outputs") -> Heatmap:
    """How well each place comes back, in [0, 1]: 1 without any error, 0 where the error is as large as the detail.

    The autoencoder looked at the whole picture squashed to a square, so that the map is coarse.
    """
    error, around = np.split(maps, 2)
    side = math.isqrt(len(error))
    kept = np.clip(1 - error / (around + _FLOOR), 0, 1).astype(np.float32).reshape(side, side)
    longest = max(sample.width, sample.height)
    size = [max(1, round(2 * side * length / longest)) for length in (sample.width, sample.height)]
    stretched = Image.fromarray(kept).resize((size[0], size[1]), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(stretched, dtype=np.float32), 0, 1)


def _either() -> str:
    return " or ".join(AUTOENCODERS)


def _together(marks: list[str]) -> str:
    return hashlib.sha256(" ".join(marks).encode()).hexdigest()
