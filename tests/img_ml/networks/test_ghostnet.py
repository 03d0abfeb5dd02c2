"""GhostNet on residuals: its input against a plain float64 reference."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from img_ml.networks.ghostnet import BACKBONES, CHANNELS, ResidualGhostNet, residual_channels
from img_ml.networks.srm import srm_filters

KERNELS = [
    (4, {(-1, -1): -1, (-1, 0): 2, (-1, 1): -1, (0, -1): 2, (0, 0): -4, (0, 1): 2, (1, -1): -1, (1, 0): 2, (1, 1): -1}),
    (
        12,
        {(y, x): [[-12, 8, -2], [8, -6, 2], [-2, 2, -1]][abs(y)][abs(x)] for y in range(-2, 3) for x in range(-2, 3)},
    ),
    (2, {(0, -1): 1, (0, 0): -2, (0, 1): 1}),
]


def reference(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """image (3, H, W): the twelve channels, pixel by pixel."""
    height, width = image.shape[1:]
    found = np.zeros((12, height - 4, width - 4))
    for y in range(2, height - 2):
        for x in range(2, width - 2):
            for colour in range(3):
                window = sorted(image[colour, y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1))
                found[colour, y - 2, x - 2] = image[colour, y, x] - window[4]
                for place, (divisor, kernel) in enumerate(KERNELS):
                    total = sum(weight * image[colour, y + dy, x + dx] for (dy, dx), weight in kernel.items())
                    found[3 + 3 * place + colour, y - 2, x - 2] = total / divisor
    cut: NDArray[np.float64] = np.clip(found, -8, 8) / 8
    return cut


@pytest.mark.parametrize("spread", [2, 60])
def test_the_residual_input_agrees_with_the_reference(spread: int) -> None:
    random = np.random.default_rng(spread)
    image = np.clip(np.rint(random.normal(128, spread, (3, 17, 21))), 0, 255)
    filters = torch.from_numpy(srm_filters()).float()
    found = residual_channels(torch.from_numpy(image).float()[None], filters)[0].numpy()
    assert found.shape == (CHANNELS, 13, 17)
    assert np.abs(found - reference(image)).max() < 1e-5


def test_a_ramp_and_a_flat_image_leave_nothing() -> None:
    row, column = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    ramp = (3 * row + 2 * column).expand(1, 3, 20, 30)
    assert residual_channels(ramp, torch.from_numpy(srm_filters()).float()).abs().max() < 1e-5


@pytest.mark.parametrize("backbone", BACKBONES)
def test_each_backbone_gives_one_logit_an_image(backbone: str) -> None:
    network = ResidualGhostNet(backbone).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 3, 68, 68) * 255).shape == (2,)
    assert not any("filters" in name for name in network.state_dict())
