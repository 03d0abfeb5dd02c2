"""ManTra-Net: features of manipulation traces, and how each place's features differ from those around it.

Wu, AbdAlmageed and Natarajan, CVPR 2019. Names and shapes of the tensors, padding and order of the channels are those
of the PyTorch release of the authors' weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.srm import srm_filters

# What one value of the map depends on, in pixels to each side: the extractor, the widest window, four steps of the
# recurrent 7 x 7 convolution, and the last one.
TRACE_REACH = 2 + 12
HALO = TRACE_REACH + 15 + 4 * 3 + 3
WINDOWS = (7, 15, 31)
_BATCH_NORM_EPSILON = 1e-3
_SIGMA_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels after each of the twelve 3 x 3 convolutions, of the adapted features, and of the recurrent state."""

    traces: tuple[int, ...] = (32, 64, 64, 128, 128, 128, 256, 256, 256, 256, 256, 256)
    adapted: int = 64
    state: int = 8


def widths_of(tensors: Mapping[str, Tensor]) -> Widths:
    """The widths of a network whose state dict it is; KeyError where a tensor is missing."""
    traces = tuple(len(tensors[f"IMTFE.middle_and_last_block.{2 * place}.weight"]) for place in range(12))
    adapted = len(tensors["AnomalyDetector.adaptation.weight"])
    return Widths(traces, adapted, len(tensors["AnomalyDetector.conv_lstm.cell_list.0.conv.bias"]) // 4)


class MantraNet(nn.Module):
    """The whole network: an image n x 3 x H x W in grey levels (0 to 255) in, its map n x H x W in [0, 1] out.

    For large images the halves are used alone: `adapted` over tiles, `standardised` once the statistics are known,
    `AnomalyDetector` over tiles again.
    """

    def __init__(self, widths: Widths | None = None) -> None:
        super().__init__()
        chosen = widths or Widths()
        self.IMTFE = TraceExtractor(chosen)
        self.AnomalyDetector = AnomalyDetector(chosen)

    def forward(self, pixels: Tensor) -> Tensor:
        """The map, every image by statistics of its own."""
        maps = []
        for image in pixels:
            features = self.adapted(image[None])
            maps.append(self.AnomalyDetector(self.standardised(features, Statistics.over([features]))))
        return torch.cat(maps)

    def adapted(self, pixels: Tensor) -> Tensor:
        """The features n x 64 x H x W that anomalies are sought in; always float32, for they are to be standardised."""
        traces = self.IMTFE(pixels)
        with torch.autocast(pixels.device.type, enabled=False):
            features: Tensor = self.AnomalyDetector.adaptation(functional.normalize(traces.float(), dim=1))
        return features

    def standardised(self, features: Tensor, statistics: "Statistics") -> Tensor:
        """The features in standard deviations from the image's mean: what the z-scores are differences of.

        As in the release, features are first normalised over the image, then divided by their standard deviation or
        by the learned least one, whichever is larger.
        """
        shape = (1, -1, 1, 1)
        scale = torch.sqrt(statistics.variance + _BATCH_NORM_EPSILON)
        least = self.AnomalyDetector.sigma_F.flatten() + _SIGMA_EPSILON
        deviation = torch.maximum(torch.sqrt(statistics.variance) / scale, least)
        return (features - statistics.mean.view(shape)) / (scale * deviation).view(shape)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and variance of each feature over the image (channels,)."""

    mean: Tensor
    variance: Tensor

    @staticmethod
    def over(parts: Sequence[Tensor]) -> "Statistics":
        """The statistics of features 1 x channels x h x w that come in parts of an image, each pixel in one of them."""
        return Statistics.merged([Statistics.of(part) for part in parts], [part[0, 0].numel() for part in parts])

    @staticmethod
    def of(part: Tensor) -> "Statistics":
        """The statistics of one part."""
        variance, mean = torch.var_mean(part[0].flatten(1), dim=1, correction=0)
        return Statistics(mean, variance)

    @staticmethod
    def merged(parts: Sequence["Statistics"], pixels: Sequence[int]) -> "Statistics":
        """The statistics over all parts, from those of each and its number of pixels; exact but for rounding."""
        means, variances = (torch.stack([getattr(part, name) for part in parts]) for name in ("mean", "variance"))
        share = (torch.tensor(pixels, dtype=torch.float64) / sum(pixels)).to(means)[:, None]
        mean = (share * means).sum(dim=0)
        return Statistics(mean, (share * (variances + (means - mean) ** 2)).sum(dim=0))


class TraceExtractor(nn.Module):
    """Manipulation traces: plain, fixed high-pass and constrained 5 x 5 filters, then twelve 3 x 3 convolutions."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.init_conv = nn.Conv2d(3, 4, 5, bias=False)
        self.BayarConv2D = nn.Conv2d(3, 3, 5, bias=False)
        self.SRMConv2D = nn.Conv2d(3, 9, 5, bias=False)
        self.SRMConv2D.weight = nn.Parameter(torch.from_numpy(srm_filters()).float(), requires_grad=False)
        layers: list[nn.Module] = []
        for before, after in zip((16, *widths.traces), widths.traces, strict=False):
            # By one pixel, symmetric padding and repeating the edge are the same.
            layers += [nn.Conv2d(before, after, 3, padding=1, padding_mode="replicate"), nn.ReLU()]
        self.middle_and_last_block = nn.ModuleList(layers[:-1])

    def forward(self, pixels: Tensor) -> Tensor:
        """The traces n x 256 x H x W of images in grey levels, not yet of unit length."""
        padded = symmetric_padding(pixels / 127.5 - 1, 2)
        # Of nearly equal neighbours these filters keep the difference: in half precision nothing would be left of it.
        with torch.autocast(pixels.device.type, enabled=False):
            found = functional.conv2d(padded.float(), self.filters())
        found = functional.relu(found)
        for layer in self.middle_and_last_block:
            found = layer(found)
        return found

    def filters(self) -> Tensor:
        """All first-layer filters 16 x 3 x 5 x 5: plain, SRM, constrained."""
        constrained = constrained_filters(self.BayarConv2D.weight)
        return torch.cat([self.init_conv.weight, self.SRMConv2D.weight, constrained])


def constrained_filters(weight: Tensor) -> Tensor:
    """Bayar's prediction-error filters: each plane's middle weight is -1, and the others sum to 1."""
    middle = torch.zeros_like(weight)
    middle[..., weight.shape[-2] // 2, weight.shape[-1] // 2] = 1
    around = weight * (1 - middle)
    return around / around.sum(dim=(-2, -1), keepdim=True) - middle


def symmetric_padding(images: Tensor, margin: int) -> Tensor:
    """The images mirrored at their edges by `margin` pixels, the edge pixel included: cba|abc; any size from 1 on."""
    rows, columns = (_mirrored(length, margin, images.device) for length in images.shape[-2:])
    return images[..., rows, :][..., columns]


def _mirrored(length: int, margin: int, device: torch.device) -> Tensor:
    place = torch.arange(-margin, length + margin, device=device) % (2 * length)
    return torch.minimum(place, 2 * length - 1 - place)


class AnomalyDetector(nn.Module):
    """How anomalous each place is: z-scores against windows of rising size, read by a recurrent convolution."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.adaptation = nn.Conv2d(widths.traces[-1], widths.adapted, 1, bias=False)
        self.sigma_F = nn.Parameter(torch.zeros(1, widths.adapted, 1, 1))
        self.conv_lstm = ConvolutionalLSTM(widths.adapted, widths.state)
        self.end = nn.Sequential(nn.Conv2d(widths.state, 1, 7, padding=3), nn.Sigmoid())

    def forward(self, standardised: Tensor) -> Tensor:
        """The map n x H x W in [0, 1] from standardised features n x 64 x H x W."""
        found: Tensor = self.end(self.conv_lstm(z_scores(standardised)))[:, 0]
        return found


def z_scores(standardised: Tensor) -> list[Tensor]:
    """How far each value lies from the mean of the window around it (7, 15, 31 pixels, then the whole image).

    The mean of standardised features over the whole image is zero; windows are cut at the image's edges.
    """
    return [*(abs(window_mean(standardised, side) - standardised) for side in WINDOWS), abs(standardised)]


def window_mean(values: Tensor, side: int) -> Tensor:
    """The mean over the window of side x side pixels around each place, of what lies inside the image."""
    down = functional.avg_pool2d(values, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return functional.avg_pool2d(down, (1, side), 1, (0, side // 2), count_include_pad=False)


class ConvolutionalLSTM(nn.Module):
    """A convolutional LSTM of one layer."""

    def __init__(self, inputs: int, state: int) -> None:
        super().__init__()
        self.cell_list = nn.ModuleList([ConvolutionalLSTMCell(inputs, state)])

    def forward(self, sequence: Sequence[Tensor]) -> Tensor:
        """What it gives after the last step."""
        state = None
        for values in sequence:
            state = self.cell_list[0](values, state)
        if state is None:
            raise ValueError("a recurrent network needs at least one step")
        output: Tensor = state[0]
        return output


class ConvolutionalLSTMCell(nn.Module):
    """One step of a convolutional LSTM with Keras's hard sigmoid at the gates."""

    def __init__(self, inputs: int, state: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs + state, 4 * state, 7, padding=3)

    def forward(self, values: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """The new output and cell state; before the first step both are zero."""
        size = (len(values), self.conv.out_channels // 4, *values.shape[2:])
        output, cell = state or (values.new_zeros(size), values.new_zeros(size))
        gates = self.conv(torch.cat([values, output.to(values.dtype)], dim=1))
        enter, keep, candidate, leave = gates.chunk(4, dim=1)
        cell = _hard_sigmoid(keep) * cell + _hard_sigmoid(enter) * torch.tanh(candidate)
        return _hard_sigmoid(leave) * torch.tanh(cell), cell


def _hard_sigmoid(values: Tensor) -> Tensor:
    return torch.clamp(0.2 * values + 0.5, 0, 1)
