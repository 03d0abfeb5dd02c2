"""The inverted and saturated CNN: Pillow's colours exactly, the published names and shapes, any size."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from img_ml.networks.saturation_cnn import FACTORS, SaturationCNN, saturated
from tests.forensics.pictures import photo

# Of the published network: the fully connected layers count the Sigmoid as their ninth, which has no weights.
SHAPES = {
    "conv.0": (32, 3, 3, 3),
    "conv.3": (64, 32, 5, 5),
    "conv.6": (128, 64, 3, 3),
    "conv.9": (256, 128, 3, 3),
    "conv.12": (512, 256, 3, 3),
    "fc.1": (1024, 512),
    "fc.4": (256, 1024),
    "fc.7": (1, 256),
}


def by_pillow(pixels: np.ndarray, factor: float) -> np.ndarray:
    return np.asarray(ImageEnhance.Color(ImageOps.invert(Image.fromarray(pixels))).enhance(factor))


def by_torch(pixels: np.ndarray, factor: float) -> np.ndarray:
    images = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    return saturated(images, factor)[0].permute(1, 2, 0).numpy().astype(np.uint8)


@pytest.mark.parametrize("factor", [1, 8, 500])
def test_whole_factors_give_pillows_values(factor: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    for pixels in (noise, photo()[:200, :300]):
        assert np.array_equal(by_torch(pixels, factor), by_pillow(pixels, factor))


def test_other_factors_give_them_within_rounding() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    gap = np.abs(by_torch(pixels, 2.7).astype(int) - by_pillow(pixels, 2.7))
    assert gap.max() <= 1


def test_grey_stays_grey_and_is_inverted() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    assert np.array_equal(by_torch(ramp, 500), 255 - ramp)


def test_names_and_shapes_are_the_published_ones() -> None:
    with torch.device("meta"):
        found = {name: tuple(value.shape) for name, value in SaturationCNN().state_dict().items()}
    biases = {f"{name}.bias": shape[:1] for name, shape in SHAPES.items()}
    assert found == {f"{name}.weight": shape for name, shape in SHAPES.items()} | biases


@pytest.mark.parametrize("size", [(32, 32), (224, 224), (40, 300)], ids=str)
def test_sides_from_that_of_cifake_up_give_one_logit(size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (2, 3, *size)).float()
    for factor in FACTORS:
        assert SaturationCNN(factor).eval()(images).shape == (2,)


def test_the_factor_changes_what_is_seen() -> None:
    images = torch.randint(0, 256, (1, 3, 64, 64)).float()
    network = SaturationCNN().eval()
    states = network.state_dict()
    found = []
    for factor in FACTORS:
        network = SaturationCNN(factor).eval()
        network.load_state_dict(states)
        found.append(network(images)[0].item())
    assert len(set(found)) == len(FACTORS)


def test_it_learns_a_tint_of_two_grey_levels_once_colours_are_saturated() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([0.0, 1.0]).repeat(8)
    grey = torch.randint(40, 200, (16, 1, 32, 32)).float().expand(-1, 3, -1, -1).clone()
    grey[labels == 1, 0] += 2
    network = SaturationCNN(500)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(20):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(grey), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((network.eval()(grey) > 0) == (labels == 1)).all()
