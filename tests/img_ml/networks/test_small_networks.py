"""The small networks: what their first layers show the rest, and that an image's logit is the mean of its places."""

import numpy as np
import pytest
import torch

from img_ml.networks.crop_network import FRONTS, CropNetwork, EvenConv2d, Front
from img_ml.networks.high_pass import CHANNELS, TRUNCATION, HighPass
from img_ml.networks.ladeda import LadedaNetwork
from img_ml.networks.npr import NprNetwork, neighbouring_relations
from img_ml.networks.position_logits import PositionLogits


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32))


def test_high_pass_filters_see_no_brightness_and_no_even_slope() -> None:
    filters = HighPass()
    flat = torch.full((1, 3, 16, 16), 93.0)
    assert filters(flat).abs().max() < 1e-4
    slope = torch.arange(32.0).repeat(1, 3, 32, 1) / 4
    fixed = filters(slope)[:, :-4, 4:-4, 4:-4]
    assert fixed.abs().max() < 1e-3
    residuals = filters(noise(1, 3, 32, 32))
    assert residuals.shape == (1, CHANNELS, 32, 32)
    assert residuals.abs().max() == 1


def test_the_blur_residual_is_a_pixel_less_the_mean_of_its_square() -> None:
    pixels = 100 + noise(1, 3, 9, 9) / 64
    shown = HighPass()(pixels)[0, :3, 1:-1, 1:-1] * TRUNCATION
    squares = torch.nn.functional.avg_pool2d(pixels, 3, 1)[0]
    assert torch.allclose(shown, pixels[0, :, 1:-1, 1:-1] - squares, atol=1e-3)


def test_neighbouring_relations_are_those_to_the_upper_left_pixel() -> None:
    pixels = noise(1, 3, 5, 7)
    found = neighbouring_relations(pixels)
    for row in range(5):
        for column in range(7):
            expected = pixels[0, :, row, column] - pixels[0, :, row // 2 * 2, column // 2 * 2]
            assert torch.equal(found[0, :, row, column], expected)


def test_a_place_of_ladeda_sees_nine_pixels_and_the_next_to_them() -> None:
    network = LadedaNetwork().eval()
    torch.nn.init.normal_(network.head.weight)
    pixels = noise(1, 3, 30, 30).requires_grad_()
    network.maps(pixels)[0, 5, 7].backward()
    assert pixels.grad is not None
    rows, columns = np.nonzero(pixels.grad[0].abs().sum(dim=0).numpy())
    assert (rows.min(), rows.max()) == (5, 13)
    assert (columns.min(), columns.max()) == (7, 16)


@pytest.mark.parametrize("front", FRONTS)
def test_every_front_gives_a_logit_that_is_the_mean_of_its_places(front: Front) -> None:
    network = CropNetwork(front, 2).eval()
    _check_mean(network)


@pytest.mark.parametrize("made", [LadedaNetwork, NprNetwork])
def test_so_do_the_baselines(made: type[LadedaNetwork | NprNetwork]) -> None:
    _check_mean(made().eval())


def _check_mean(network: PositionLogits) -> None:
    torch.nn.init.normal_(network.head.weight)
    pixels = noise(2, 3, 65, 70)
    with torch.no_grad():
        logits, maps = network(pixels), network.maps(pixels)
    assert logits.shape == (2,)
    assert logits[0] != logits[1]
    assert torch.allclose(maps.mean(dim=(1, 2)), logits, atol=1e-4)


def test_even_padding_is_that_of_tensorflow_for_even_sides() -> None:
    layer = EvenConv2d(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(9.0).reshape(1, 1, 3, 3))
    pixels = noise(1, 1, 8, 8)
    # TensorFlow's "same" with a stride of 2 adds one row and column behind an even side, and none before it.
    expected = torch.nn.functional.conv2d(torch.nn.functional.pad(pixels, (0, 1, 0, 1)), layer.weight, stride=2)
    assert torch.equal(layer(pixels), expected)
