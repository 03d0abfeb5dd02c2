"""ManTra-Net: the published layout, and its steps against plain float64 references."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from img_ml.networks.mantranet.network import (
    HALO,
    MantraNet,
    Statistics,
    Widths,
    constrained_filters,
    symmetric_padding,
    widths_of,
    window_mean,
    z_scores,
)

Array = NDArray[np.float64]

# The state dict of the PyTorch release, MantraNetv4.pt.
PUBLISHED = {
    "IMTFE.init_conv.weight": (4, 3, 5, 5),
    "IMTFE.BayarConv2D.weight": (3, 3, 5, 5),
    "IMTFE.SRMConv2D.weight": (9, 3, 5, 5),
    "IMTFE.middle_and_last_block.0.weight": (32, 16, 3, 3),
    "IMTFE.middle_and_last_block.0.bias": (32,),
    "IMTFE.middle_and_last_block.2.weight": (64, 32, 3, 3),
    "IMTFE.middle_and_last_block.2.bias": (64,),
    "IMTFE.middle_and_last_block.4.weight": (64, 64, 3, 3),
    "IMTFE.middle_and_last_block.4.bias": (64,),
    "IMTFE.middle_and_last_block.6.weight": (128, 64, 3, 3),
    "IMTFE.middle_and_last_block.6.bias": (128,),
    "IMTFE.middle_and_last_block.8.weight": (128, 128, 3, 3),
    "IMTFE.middle_and_last_block.8.bias": (128,),
    "IMTFE.middle_and_last_block.10.weight": (128, 128, 3, 3),
    "IMTFE.middle_and_last_block.10.bias": (128,),
    "IMTFE.middle_and_last_block.12.weight": (256, 128, 3, 3),
    "IMTFE.middle_and_last_block.12.bias": (256,),
    "IMTFE.middle_and_last_block.14.weight": (256, 256, 3, 3),
    "IMTFE.middle_and_last_block.14.bias": (256,),
    "IMTFE.middle_and_last_block.16.weight": (256, 256, 3, 3),
    "IMTFE.middle_and_last_block.16.bias": (256,),
    "IMTFE.middle_and_last_block.18.weight": (256, 256, 3, 3),
    "IMTFE.middle_and_last_block.18.bias": (256,),
    "IMTFE.middle_and_last_block.20.weight": (256, 256, 3, 3),
    "IMTFE.middle_and_last_block.20.bias": (256,),
    "IMTFE.middle_and_last_block.22.weight": (256, 256, 3, 3),
    "IMTFE.middle_and_last_block.22.bias": (256,),
    "AnomalyDetector.sigma_F": (1, 64, 1, 1),
    "AnomalyDetector.adaptation.weight": (64, 256, 1, 1),
    "AnomalyDetector.conv_lstm.cell_list.0.conv.weight": (32, 72, 7, 7),
    "AnomalyDetector.conv_lstm.cell_list.0.conv.bias": (32,),
    "AnomalyDetector.end.0.weight": (1, 8, 7, 7),
    "AnomalyDetector.end.0.bias": (1,),
}
SMALL = Widths((5, 6, 4, 6, 5, 6, 4, 5, 6, 5, 6, 7), adapted=6, state=3)


def network(widths: Widths = SMALL, seed: int = 0) -> MantraNet:
    """A random network whose numbers neither vanish nor explode on the way."""
    torch.manual_seed(seed)
    built = MantraNet(widths).eval().requires_grad_(False)
    for layer in built.IMTFE.middle_and_last_block:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    torch.nn.init.normal_(built.AnomalyDetector.end[0].weight, std=0.5)
    return built


def pixels(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (1, 3, height, width), generator=torch.Generator().manual_seed(seed)).float()


def test_the_published_state_dict_loads_key_for_key() -> None:
    with torch.device("meta"):
        built = MantraNet()
    assert {name: tuple(value.shape) for name, value in built.state_dict().items()} == PUBLISHED
    published = {name: torch.empty(shape, device="meta") for name, shape in PUBLISHED.items()}
    assert widths_of(published) == Widths()
    built.load_state_dict(published, assign=True)


def test_the_network_of_a_state_dict_has_its_widths() -> None:
    assert widths_of(network().state_dict()) == SMALL


def reference_symmetric(plane: Array, margin: int) -> Array:
    """Mirror again and again, the edge included."""
    height, width = plane.shape

    def mirrored(place: int, length: int) -> int:
        while not 0 <= place < length:
            place = -1 - place if place < 0 else 2 * length - 1 - place
        return place

    return np.array(
        [
            [plane[mirrored(y, height), mirrored(x, width)] for x in range(-margin, width + margin)]
            for y in range(-margin, height + margin)
        ]
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 3), (5, 6)], ids=str)
def test_padding_mirrors_the_edge_pixel_too(size: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).random(size)
    padded = symmetric_padding(torch.from_numpy(plane)[None, None], 2)[0, 0].numpy()
    assert np.array_equal(padded, reference_symmetric(plane, 2))


def reference_constrained(weight: Array) -> Array:
    """Bayar and Stamm's constraint, weight by weight."""
    result = np.zeros_like(weight)
    for out in range(weight.shape[0]):
        for channel in range(weight.shape[1]):
            total = sum(weight[out, channel, y, x] for y in range(5) for x in range(5) if (y, x) != (2, 2))
            for y in range(5):
                for x in range(5):
                    result[out, channel, y, x] = -1 if (y, x) == (2, 2) else weight[out, channel, y, x] / total
    return result


def reference_convolution(image: Array, filters: Array) -> Array:
    """image (channels, H, W) under filters (out, channels, 5, 5), edges mirrored: (out, H, W)."""
    padded = np.stack([reference_symmetric(plane, 2) for plane in image])
    height, width = image.shape[1:]
    result = np.zeros((len(filters), height, width))
    for out, kernel in enumerate(filters):
        for y in range(height):
            for x in range(width):
                result[out, y, x] = (padded[:, y : y + 5, x : x + 5] * kernel).sum()
    return result


def test_constrained_filters_predict_the_middle_pixel_as_the_reference_does() -> None:
    weight = np.random.default_rng(1).uniform(0.1, 1, (3, 3, 5, 5))
    expected = reference_constrained(weight)
    assert np.allclose(expected.sum(axis=(2, 3)), 0)
    found = constrained_filters(torch.from_numpy(weight).float())
    assert np.abs(found.numpy() - expected).max() < 1e-6
    assert torch.allclose(constrained_filters(found), found, atol=1e-6), "applying it twice changes nothing"


def test_fixed_filters_take_second_differences_of_one_plane_each() -> None:
    filters = network().IMTFE.SRMConv2D.weight.numpy()
    row, column = np.meshgrid(np.arange(5.0), np.arange(5.0), indexing="ij")
    for place, kernel in enumerate(filters):
        channel = place % 3
        assert kernel[channel, 2, 2] == -1
        assert not np.delete(kernel, channel, axis=0).any()
        for ramp in (np.ones((5, 5)), row, column, 3 * row - 2 * column):
            assert abs((kernel[channel] * ramp).sum()) < 1e-5


def test_the_first_layer_agrees_with_the_reference() -> None:
    built = network()
    with torch.no_grad():
        built.IMTFE.BayarConv2D.weight.uniform_(0.1, 1)
    image = np.random.default_rng(2).integers(0, 256, (3, 9, 11)).astype(np.float64)
    plain, bayar = (layer.weight.double().numpy() for layer in (built.IMTFE.init_conv, built.IMTFE.BayarConv2D))
    filters = built.IMTFE.SRMConv2D.weight.double().numpy()
    expected = reference_convolution(image / 127.5 - 1, np.concatenate([plain, filters, reference_constrained(bayar)]))
    padded = symmetric_padding(torch.from_numpy(image).float()[None] / 127.5 - 1, 2)
    found = functional.conv2d(padded, built.IMTFE.filters())[0].numpy()
    assert np.abs(found - expected).max() < 1e-5


def reference_z_scores(features: Array, learned: Array) -> Array:
    """Features (channels, H, W) as the release scores them: (4, channels, H, W)."""
    channels, height, width = features.shape
    result = np.zeros((4, channels, height, width))
    for c in range(channels):
        plane = features[c]
        plane = (plane - plane.mean()) / np.sqrt(((plane - plane.mean()) ** 2).mean() + 1e-3)
        sigma = max(np.sqrt(((plane - plane.mean()) ** 2).mean()), learned[c] + 1e-6)
        for y in range(height):
            for x in range(width):
                for place, side in enumerate((7, 15, 31)):
                    half = side // 2
                    window = plane[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
                    result[place, c, y, x] = abs(window.mean() - plane[y, x]) / sigma
                result[3, c, y, x] = abs(plane.mean() - plane[y, x]) / sigma
    return result


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (34, 36)], ids=str)
def test_z_scores_agree_with_the_reference(size: tuple[int, int]) -> None:
    built = network()
    random = np.random.default_rng(3)
    # The learned least deviation decides for some channels, the image's own for the others.
    learned = np.array([0, 0, 0.5, 0.9, 2.0, 0.1])
    features = random.normal(
        random.normal(size=(6, 1, 1)), [[[1]], [[0.01]], [[0.3]], [[0.1]], [[3]], [[1]]], (6, *size)
    )
    with torch.no_grad():
        built.AnomalyDetector.sigma_F.copy_(torch.from_numpy(learned).view(1, 6, 1, 1))
    given = torch.from_numpy(features).float()[None]
    found = torch.stack(z_scores(built.standardised(given, Statistics.over([given]))), dim=1)[0].numpy()
    assert np.abs(found - reference_z_scores(given[0].double().numpy(), learned)).max() < 1e-5


def test_a_window_wider_than_the_image_is_the_whole_image() -> None:
    values = torch.rand(1, 2, 5, 6)
    assert torch.allclose(window_mean(values, 31), values.mean(dim=(2, 3), keepdim=True).expand_as(values), atol=1e-6)


def test_statistics_of_parts_are_those_of_the_whole() -> None:
    features = torch.rand(1, 4, 20, 30, generator=torch.Generator().manual_seed(0)) * 3 - 1
    whole = Statistics.over([features])
    parts = Statistics.over([features[:, :, :7], features[:, :, 7:, :11], features[:, :, 7:, 11:]])
    assert torch.allclose(parts.mean, whole.mean, atol=1e-6)
    assert torch.allclose(parts.variance, whole.variance, atol=1e-6)
    assert torch.allclose(whole.variance.double(), features.double()[0].flatten(1).var(dim=1, correction=0), atol=1e-6)


def test_the_recurrent_step_agrees_with_the_reference() -> None:
    cell = network().AnomalyDetector.conv_lstm.cell_list[0].double()
    values, output, state = (torch.randn(1, channels, 4, 5, dtype=torch.float64) for channels in (6, 3, 3))
    new_output, new_state = cell(values, (output, state))
    both = torch.cat([values, output], dim=1)
    for y in range(4):
        for x in range(5):
            window = torch.zeros(9, 7, 7, dtype=torch.float64)
            for dy in range(-3, 4):
                for dx in range(-3, 4):
                    if 0 <= y + dy < 4 and 0 <= x + dx < 5:
                        window[:, dy + 3, dx + 3] = both[0, :, y + dy, x + dx]
            gates = (cell.conv.weight * window).sum(dim=(1, 2, 3)) + cell.conv.bias
            for c in range(3):
                enter, keep, leave = (min(max(0.2 * float(gates[i + c]) + 0.5, 0), 1) for i in (0, 3, 9))
                expected = keep * float(state[0, c, y, x]) + enter * np.tanh(float(gates[6 + c]))
                assert abs(float(new_state[0, c, y, x]) - expected) < 1e-9
                assert abs(float(new_output[0, c, y, x]) - leave * np.tanh(expected)) < 1e-9


def test_a_pixel_changes_the_features_within_their_reach_only() -> None:
    built = network()
    image = pixels(1, 100)
    other = image.clone()
    other[..., 0, 0] = 255 - other[..., 0, 0]
    changed = (built.adapted(image) != built.adapted(other)).any(dim=1)[0, 0]
    assert changed.any()
    assert not changed[15:].any()
    assert HALO == 44


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 70)], ids=str)
def test_the_map_has_the_images_size(size: tuple[int, int]) -> None:
    found = network()(pixels(*size))
    assert found.shape == (1, *size)
    assert torch.isfinite(found).all()
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
