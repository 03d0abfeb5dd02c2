"""SPAI against a plain reference, the layouts of its authors' files, and images of any size in bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from forensics.errors import WeightsError
from forensics.types import ImageSample, Measured
from img_ml.detectors._spai import SpaiDetector, context_of
from img_ml.detectors.spai import signal
from img_ml.networks.spai.context import SpectralContext
from img_ml.networks.spai.frequencies import centred_mask, circular_mask, split
from img_ml.networks.spai.network import MARK, Spai, backbone_tensors, load_backbone, spai_of
from img_ml.networks.spai.patches import map_of, padded, place
from img_ml.networks.spai.sizes import SpaiSizes, VitSizes, vit_sizes_of
from tests.img_ml.networks import spai_layout as layout
from tests.img_ml.networks import spai_reference as reference
from tests.img_ml.tiny import tiny_spai

SMALL = SpaiSizes(VitSizes(32, 8, 128, 2, 160), projection=24, context=36, heads=3, hidden=20, radius=5)


@pytest.fixture(scope="module")
def small() -> Spai:
    torch.manual_seed(1)
    network = Spai(SMALL).eval().requires_grad_(False)
    for name, tensor in network.named_parameters():
        tensor.normal_(1.0 if "norm" in name and "weight" in name else 0.0, tensor[0].numel() ** -0.5)
    return network


def in_float64(network: Spai) -> dict[str, np.ndarray]:
    return {name: value.double().numpy() for name, value in network.state_dict().items()}


def picture(height: int, width: int, seed: int = 0) -> ImageSample:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return ImageSample(b"", "", "image/png", pixels)


def square(sample: ImageSample, corner: tuple[int, int]) -> np.ndarray:
    top, left = corner
    return sample.pixels[top : top + 32, left : left + 32].transpose(2, 0, 1) / 255


def measured(network: Spai, sample: ImageSample, batch: int = 8) -> Measured:
    (found,) = SpaiDetector(network, "cpu", "0" * 64, signal, batch=batch)([sample])
    assert isinstance(found, Measured)
    return found


def test_the_split_is_that_of_the_fourier_sum_and_its_parts_are_cut_to_the_range_of_pixels() -> None:
    image = np.random.default_rng(0).random((3, 16, 16))
    low, high = split(torch.from_numpy(image)[None], circular_mask(16, 4))
    for found, wanted in zip((low, high), reference.split(image, 4), strict=True):
        np.testing.assert_allclose(found[0].numpy(), wanted, atol=2e-6)
    assert float(high.min()) == 0


def test_both_masks_let_a_flat_image_through() -> None:
    flat = torch.full((1, 3, 16, 16), 0.4)
    for mask in (circular_mask(16, 3), centred_mask(16, 3)):
        low, high = split(flat, mask)
        torch.testing.assert_close(low, flat)
        assert float(high.max()) < 1e-6


def test_the_vector_of_a_patch_is_that_of_the_reference(small: Spai) -> None:
    patch = np.random.default_rng(2).random((3, 32, 32))
    found = small.mfvit(torch.from_numpy(patch).float()[None])[0].numpy()
    wanted = reference.vector(in_float64(small), patch, SMALL.radius, SMALL.vit.depth)
    assert found.shape == (SMALL.vector,)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_logit_and_attention_are_those_of_the_reference(small: Spai) -> None:
    vectors = np.random.default_rng(3).normal(size=(5, SMALL.vector))
    logit, attention = small(torch.from_numpy(vectors).float()[None])
    wanted, listened = reference.verdict(in_float64(small), vectors)
    assert float(logit) == pytest.approx(wanted, abs=1e-5)
    np.testing.assert_allclose(attention[0].numpy(), listened, atol=1e-6)


def test_an_image_is_what_the_reference_says_of_its_patches(small: Spai) -> None:
    sample = picture(70, 100)
    tensors = in_float64(small)
    corners = [(top, left) for top in (0, 32) for left in (0, 32, 64)]
    patches = [square(sample, corner) for corner in corners]
    vectors = np.stack([reference.vector(tensors, patch, SMALL.radius, SMALL.vit.depth) for patch in patches])
    logit, attention = reference.verdict(tensors, vectors)
    found = measured(small, sample)
    assert found.numbers["spai_prob"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert found.heatmap is not None
    assert found.heatmap.shape == (70, 100)
    for (top, left), value in zip(corners, attention / attention.max(), strict=True):
        np.testing.assert_allclose(found.heatmap[top : top + 32, left : left + 32], value, atol=1e-5)
    assert not found.heatmap[64:].any()
    assert not found.heatmap[:, 96:].any()


def test_a_small_image_is_its_four_corners_and_its_middle(small: Spai) -> None:
    sample = picture(40, 51)
    corners = [(0, 0), (0, 19), (8, 0), (8, 19), (4, 10)]
    patches = [square(sample, corner) for corner in corners]
    with torch.inference_mode():
        vectors = small.mfvit(torch.from_numpy(np.stack(patches)).float())
        logit, _ = context_of(small)(vectors[None])
    assert measured(small, sample).numbers["spai_prob"] == pytest.approx(float(torch.sigmoid(logit)), abs=1e-5)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (9, 50), (1, 1), (33, 64)])
def test_crops_that_fall_together_go_through_the_network_once(height: int, width: int) -> None:
    placing = place(height, width, 32)
    assert len(placing.order) == 5
    assert len(placing.corners) == len(set(placing.corners)) <= 5
    assert padded(picture(height, width).pixels, 32).shape == (max(height, 32), max(width, 32), 3)
    assert map_of(placing, [0.2] * 5, height, width).min() == 1


def test_the_batch_of_patches_changes_nothing_but_time(small: Spai) -> None:
    sample = picture(200, 330)
    one, seven, many = (measured(small, sample, batch) for batch in (1, 7, 64))
    for other in (seven, many):
        assert other.numbers["spai_prob"] == pytest.approx(one.numbers["spai_prob"], abs=1e-6)
        assert one.heatmap is not None
        assert other.heatmap is not None
        np.testing.assert_allclose(other.heatmap, one.heatmap, atol=1e-5)


def test_training_moves_everything_but_the_backbone() -> None:
    torch.manual_seed(0)
    network = Spai(SMALL, dropout=0.0)
    network.begin()
    network.logits(torch.rand(2, 4, 3, 32, 32)).sum().backward()
    moved = {name for name, tensor in network.named_parameters() if tensor.grad is not None and tensor.grad.any()}
    assert {name for name in network.state_dict() if not name.startswith("mfvit.vit.")} - moved == {
        "mfvit.frequencies_mask",
        MARK,
    }
    assert not any(name.startswith("mfvit.vit.") for name in moved)


def test_the_attention_learns_which_patch_tells() -> None:
    """One patch of four is marked, and its sign is the label; the signs of the others are drawn.

    What the attention takes is linear in the patches, so that only listening to the marked one can be right.
    """
    torch.manual_seed(0)
    sizes = SpaiSizes(VitSizes(32, 8, 64, 1, 64), projection=10, context=32, heads=1, hidden=24, radius=5)
    context = SpectralContext(sizes, dropout=0.0)
    torch.nn.init.trunc_normal_(context.patch_aggregator, std=0.02)

    def drawn(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        vectors, marked = 0.3 * torch.randn(count, 4, sizes.vector), torch.randint(0, 4, (count,))
        signs = torch.randint(0, 2, (count, 4)).float() * 2 - 1
        vectors[:, :, 0] += 2 * signs
        vectors[torch.arange(count), marked, 1] += 2
        return vectors, (signs[torch.arange(count), marked] > 0).float(), marked

    def listened() -> float:
        vectors, _, marked = drawn(256)
        with torch.no_grad():
            return float(context(vectors)[1][torch.arange(256), marked].mean())

    assert listened() == pytest.approx(0.25, abs=0.02)
    optimizer = torch.optim.AdamW(context.parameters(), lr=3e-3)
    for _ in range(150):
        vectors, labels, _ = drawn(64)
        loss = functional.binary_cross_entropy_with_logits(context(vectors)[0], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05
    assert listened() > 0.4


def random(shapes: layout.Layout) -> dict[str, torch.Tensor]:
    whole = {name for name in shapes if name.endswith("frequencies_mask")}
    return {
        name: torch.zeros(shape, dtype=torch.int64) if name in whole else torch.empty(shape)
        for name, shape in shapes.items()
    }


def test_the_authors_checkpoint_fits_key_for_key() -> None:
    network = spai_of(random(layout.SPAI), "spai")
    assert network.sizes == SpaiSizes()
    assert {name: tuple(value.shape) for name, value in network.state_dict().items() if name != MARK} == layout._USED


def test_the_pretrained_backbone_fits_key_for_key() -> None:
    tensors = random(layout.MFM)
    assert vit_sizes_of(backbone_tensors(tensors)) == VitSizes()
    with torch.device("meta"):
        backbone = Spai(SpaiSizes()).mfvit.vit
    assert {name: tuple(value.shape) for name, value in backbone.state_dict().items()} == {
        name.removeprefix("encoder."): shape for name, shape in layout.backbone("encoder.").items()
    }
    own = {name.removeprefix("encoder."): value for name, value in tensors.items() if name.startswith("encoder.")}
    assert set(backbone_tensors(own)) == set(backbone_tensors(tensors)) == set(backbone.state_dict())


def test_a_backbone_of_another_size_is_told_apart() -> None:
    backbone = tiny_spai().mfvit.vit
    other = {f"encoder.{name}": value for name, value in Spai(SMALL).mfvit.vit.state_dict().items()}
    with pytest.raises(WeightsError, match="the settings ask for"):
        load_backbone(other, backbone, "other.pth")
    with pytest.raises(WeightsError, match="does not hold a backbone"):
        load_backbone({"weight": torch.zeros(2)}, backbone, "other.pth")


@pytest.mark.parametrize("name", ["to_kv.weight", "mfvit.vit.pos_embed", "mfvit.vit.blocks.1.norm2.bias"])
def test_a_checkpoint_that_lacks_something_is_refused(name: str) -> None:
    tensors = dict(tiny_spai().state_dict())
    del tensors[name]
    with pytest.raises(WeightsError, match="spai"):
        spai_of(tensors, "spai")


def test_own_weights_of_the_network_before_the_authors_activations_are_refused() -> None:
    tensors = dict(tiny_spai().state_dict())
    del tensors[MARK]
    with pytest.raises(WeightsError, match="version 1 of the network, and this is version 2: train it again"):
        spai_of(tensors, "spai")


MEASURE = Path(__file__).parents[3] / "benchmarks" / "spai_memory.py"


def peak(*arguments: str) -> dict[str, float]:
    found = subprocess.run([sys.executable, str(MEASURE), *arguments], check=True, capture_output=True, text=True)
    lines = [line.split(",") for line in found.stdout.split()]
    return {line[0]: float(line[-1]) for line in lines[1:]}


def test_memory_does_not_grow_with_the_image_beyond_its_pixels() -> None:
    grown = peak("--tiny", "224x224", "1024x768", "6000x4000")
    # The pixels of 24 megapixels are 72 MB; all of their patches in three versions would be 800 MB.
    assert grown["6000x4000"] < 400
    assert grown["1024x768"] < 300


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_published_size_takes_an_image_of_24_megapixels_in_a_gigabyte() -> None:
    assert peak("6000x4000")["6000x4000"] < 1000
