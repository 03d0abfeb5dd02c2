"""Small autoencoders that differ in how they upsample: what makes the traces that aligned fakes carry."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from forensics.documents import json_of
from forensics.errors import WeightsError
from img_ml.networks.autoencoders.latent_diffusion import HALF
from img_ml.networks.autoencoders.vector_quantizer import GroupedQuantizer, Quantized
from img_ml.weights.loading import fill, tensors_of

Upsampling = Literal["nearest", "bilinear", "transposed", "shuffle"]
Bottleneck = Literal["noise", "vq"]
UPSAMPLINGS: tuple[Upsampling, ...] = get_args(Upsampling)
BOTTLENECKS: tuple[Bottleneck, ...] = get_args(Bottleneck)
FACTORS = (4, 8)
# What a folder with one of these autoencoders holds.
CONFIG, TENSORS = "config.json", "model.safetensors"
_ARCHITECTURE = "UpsamplingAutoencoder"
# Latents are seen through so much noise while it trains, as those of a variational autoencoder are.
_NOISE = 0.05
_APART = 0.2
# Of each tap of a transposed convolution of 4 taps: the phase that it serves, and the tap of that phase's 3.
_TAPS = ((1, 2), (0, 1), (1, 1), (0, 0))


@dataclass(frozen=True, slots=True)
class AutoencoderDesign:
    """What sets one autoencoder apart: its upsampling, its bottleneck, the factor by which it shrinks a side (4 or 8).

    `width` is the channels of its finest level, `latents` those of the bottleneck; `codes` and `groups` are the
    entries of each codebook and how many codebooks there are, for "vq" alone. `adversarial`: how it was trained.
    """

    upsampling: Upsampling = "nearest"
    bottleneck: Bottleneck = "noise"
    factor: int = 4
    width: int = 32
    latents: int = 16
    codes: int = 512
    groups: int = 4
    adversarial: bool = False

    @property
    def name(self) -> str:
        """What it is called among others, such as `transposed-vq-f8-adv`."""
        quantized = "-vq" if self.bottleneck == "vq" else ""
        return f"{self.upsampling}{quantized}-f{self.factor}{'-adv' if self.adversarial else ''}"


class UpsamplingAutoencoder(nn.Module):
    """From images n x 3 x H x W in grey levels to their reconstructions; H and W are multiples of the factor."""

    def __init__(self, design: AutoencoderDesign) -> None:
        super().__init__()
        self.design = design
        # The finest level is never built by the encoder: it costs most and gives least.
        widths = [design.width, *[2 * design.width] * (design.factor.bit_length() - 2)]
        self.encoder = Encoder(widths, design)
        self.decoder = nn.Sequential(
            nn.Conv2d(design.latents, widths[-1], 3, padding=1),
            Block(widths[-1]),
            Block(widths[-1]),
            *_decoder(widths, design.upsampling),
        )
        quantized = design.bottleneck == "vq"
        self.quantizer = GroupedQuantizer(design.latents, design.codes, design.groups) if quantized else None
        self.apply(_initialize)
        self.encoder.begin()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The reconstructions, unclipped, and what the bottleneck adds to the loss, a scalar."""
        latents: Tensor = self.encoder(images / HALF - 1)
        passed = self._through(latents)
        again: Tensor = self.decoder(passed.latents)
        return (again + 1) * HALF, passed.loss

    def _through(self, latents: Tensor) -> Quantized:
        if self.quantizer is not None:
            quantized: Quantized = self.quantizer(latents)
            return quantized
        if not self.training:
            return Quantized(latents, latents.new_zeros(()))
        # The noise is worth the same whatever the scale of the latents, so that scale is held near 1.
        return Quantized(latents + _NOISE * torch.randn_like(latents), 1e-3 * (latents.square().mean() - 1).abs())


class Encoder(nn.Module):
    """From images in [-1, 1] to latents: a linear view of every cell, and what a small network adds to it.

    The linear view begins as the coefficients of low frequency of each cell. They hold what sharpness needs, so that
    the training goes into the decoder, whose traces are wanted.
    """

    def __init__(self, widths: list[int], design: AutoencoderDesign) -> None:
        super().__init__()
        self.linear = nn.Conv2d(3, design.latents, design.factor, stride=design.factor)
        self.added = nn.Sequential(*_encoder(widths), nn.Conv2d(widths[-1], design.latents, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The latents n x C x H/f x W/f."""
        latents: Tensor = self.linear(images) + self.added(images)
        return latents

    def begin(self) -> None:
        """Set the linear view to cosines, and let the network begin by adding nothing."""
        with torch.no_grad():
            self.linear.weight.copy_(cosines(self.linear.out_channels, self.linear.kernel_size[0]))
            last = self.added[-1]
            for values in last.parameters():
                values.zero_()


def cosines(count: int, side: int) -> Tensor:
    """`count` filters (count, 3, side, side): the two-dimensional cosines of a cell, from low frequencies to high.

    They are of luma and of two colour differences, which get as far as half the frequency. Each is scaled so that
    photographs give values of about 1.
    """
    places = torch.arange(side)
    waves = torch.cos(math.pi / side * (places + 0.5) * places[:, None])
    waves = waves / waves.norm(dim=1, keepdim=True)
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 2.0, -1.0]])
    colours = colours / colours.norm(dim=1, keepdim=True)
    ranked = sorted(
        ((u + v) * (1 if colour == 0 else 2) + (0 if colour == 0 else 1), colour, u, v)
        for colour in range(3)
        for u in range(side)
        for v in range(side)
    )
    taken = [ranked[place % len(ranked)] for place in range(count)]
    filters = [
        torch.einsum("c,h,w->chw", colours[colour], waves[u], waves[v]) * (0.5 + u + v) * (1 if colour == 0 else 2)
        for _, colour, u, v in taken
    ]
    return torch.stack(filters) * (4 / side)


class Block(nn.Module):
    """A residual block of two convolutions, without normalisation, which costs sharpness."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.last = _conv(width, width)
        self.layers = nn.Sequential(_act(), _conv(width, width), _act())

    def forward(self, features: Tensor) -> Tensor:
        """The features and what the block adds to them."""
        added: Tensor = self.last(self.layers(features))
        return features + added


class Resized(nn.Module):
    """Features twice as large, by nearest neighbours or bilinear interpolation."""

    def __init__(self, mode: Literal["nearest", "bilinear"]) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, features: Tensor) -> Tensor:
        """The features n x C x 2H x 2W."""
        return functional.interpolate(features, scale_factor=2.0, mode=self.mode)


def _encoder(widths: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, stride=2, padding=1)]
    for before, after in pairwise(widths):
        layers += [_act(), nn.Conv2d(before, after, 4, stride=2, padding=1), Block(after)]
    return layers


def _decoder(widths: list[int], upsampling: Upsampling) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True):
        layers += [_act(), _doubled(before, after, upsampling), Block(after)]
    finest = widths[0]
    return [*layers, _act(), _doubled(finest, finest, upsampling), _act(), _conv(finest, 3)]


def _doubled(before: int, after: int, upsampling: Upsampling) -> nn.Module:
    """Layers to twice the side, each kind as generators have it; the other layers are called alike in all kinds."""
    if upsampling == "transposed":
        return nn.Sequential(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1))
    if upsampling == "shuffle":
        return nn.Sequential(_conv(before, 4 * after), nn.PixelShuffle(2))
    return nn.Sequential(Resized(upsampling), _conv(before, after))


def _initialize(layer: nn.Module) -> None:
    """Weights that keep the signal as strong as it came, and blocks that begin by adding nothing.

    Without normalisation the defaults let it fade, and the first thousand steps would go into making up for that.
    """
    if isinstance(layer, Block):
        nn.init.zeros_(layer.last.weight)
    elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        spread = 4 if isinstance(layer, nn.ConvTranspose2d) else 1
        reached = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1] / spread
        nn.init.normal_(layer.weight, 0, (1.9 / reached) ** 0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


def _act() -> nn.Module:
    return nn.LeakyReLU(0.1)


def save_upsampling_autoencoder(network: UpsamplingAutoencoder, folder: Path, facts: Mapping[str, float | str]) -> None:
    """Write config.json, with `facts` of its training, and model.safetensors into the folder."""
    told = {"architecture": _ARCHITECTURE, **asdict(network.design), **facts}
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / TENSORS)
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def begin_with(network: UpsamplingAutoencoder, folder: Path) -> int:
    """Take over what the autoencoder of a folder learned in every layer of the same name and shape; how many tensors.

    From nearest neighbours the other kinds take the upsampling too, as `split_phases` gives it. Raises WeightsError
    where the folder holds none.
    """
    source = load_upsampling_autoencoder(folder)
    learned, own = source.state_dict(), network.state_dict()
    if source.design.upsampling == "nearest" and network.design.upsampling in ("transposed", "shuffle"):
        for name in [name for name in learned if name not in own and name.endswith(".1.weight")]:
            learned |= _as_phases(name, learned, network.design.upsampling)
    shared = {name: value for name, value in learned.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict(shared, strict=False)
    return len(shared)


def _as_phases(name: str, learned: Mapping[str, Tensor], upsampling: Upsampling) -> dict[str, Tensor]:
    """The tensors of another kind's layer that begins with what a convolution after nearest neighbours does."""
    weight, bias = learned[name], learned[name.replace("weight", "bias")]
    phases = split_phases(weight)
    # Equal phases would leave no trace of their own: each is moved a little, and training takes them further apart.
    phases = phases + _APART * weight.std() * torch.randn_like(phases)
    if upsampling == "shuffle":
        tensors = phases.permute(2, 0, 1, 3, 4, 5).flatten(0, 2), bias.repeat_interleave(4)
    else:
        turned = torch.zeros(weight.shape[1], weight.shape[0], 4, 4)
        for row, column in product(range(4), repeat=2):
            (down, up), (right, left) = _TAPS[row], _TAPS[column]
            turned[:, :, row, column] = phases[down, right, :, :, up, left].T
        tensors = turned, bias
    return dict(
        zip((name.replace(".1.weight", ".0.weight"), name.replace(".1.weight", ".0.bias")), tensors, strict=True)
    )


def split_phases(weight: Tensor) -> Tensor:
    """What a convolution (n, m, 3, 3) after doubling by nearest neighbours does at each phase of the doubled grid.

    Returns convolutions of the grid before it, (2, 2, n, m, 3, 3) by row and column phase.
    """
    even = torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0]])
    both = torch.stack((even, even.flip(0, 1)))
    return torch.einsum("pij,nmjk,qlk->pqnmil", both, weight, both)


def is_upsampling_autoencoder(folder: Path) -> bool:
    """Whether the folder says that it holds one of these autoencoders."""
    try:
        told = json_of((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("architecture") == _ARCHITECTURE


def load_upsampling_autoencoder(folder: Path) -> UpsamplingAutoencoder:
    """The autoencoder of a folder, frozen. Raises WeightsError where it cannot be built or filled."""
    try:
        told = json_of((folder / CONFIG).read_text(encoding="utf-8"))
        network = UpsamplingAutoencoder(_design({key: told[key] for key in asdict(AutoencoderDesign())}))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{folder / CONFIG} does not describe an upsampling autoencoder: {error!r}.") from error
    fill(network, tensors_of(folder / TENSORS, str(folder)), str(folder))
    return network.eval().requires_grad_(False)


def _design(told: dict[str, object]) -> AutoencoderDesign:
    design = AutoencoderDesign(**told)  # type: ignore[arg-type]  # checked below
    numbers = (design.width, design.latents, design.codes, design.groups)
    if design.upsampling not in UPSAMPLINGS or design.bottleneck not in BOTTLENECKS or design.factor not in FACTORS:
        raise ValueError(f"{design.name} is unknown")
    if not all(isinstance(number, int) and 0 < number <= 4096 for number in numbers):
        raise ValueError(f"{numbers} are not valid sizes")
    return design
