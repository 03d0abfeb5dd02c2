"""AEROBLADE: LPIPS's second layer is that of the package lpips, and the best autoencoder of several counts."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from forensics.errors import WeightsError
from forensics.registry import Setup
from forensics.types import Measured
from img_ml.detectors import aeroblade
from img_ml.detectors.aeroblade import MOST_PIXELS, framed, load, lpips_of
from img_ml.networks.autoencoders.latent_diffusion import load_autoencoder, reconstructed
from img_ml.weights.store import installed
from img_ml.weights.table import find
from tests.forensics.pictures import sample_of
from tests.img_ml.tiny import TINY
from tests.img_ml.train.conftest import picture


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    TINY["aeroblade"](folder)
    return folder


@pytest.fixture(scope="module")
def published(weights: Path) -> torch.nn.Module:
    """LPIPS of the package lpips, over the same trunk under torchvision's names."""
    with warnings.catch_warnings():
        # It asks torchvision for the trunk by a word that torchvision no longer likes.
        warnings.simplefilter("ignore")
        import lpips

        network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False, spatial=True)
    trunk = load_file(weights / "vgg16" / "model.safetensors")
    for name, value in trunk.items():
        _, place, kind = name.split(".")
        slice_ = network.net.slice1 if int(place) < 4 else network.net.slice2
        getattr(getattr(slice_, place), kind).data.copy_(value)
    return network


def layer_2(published: torch.nn.Module, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The distance that AEROBLADE calls lpips_vgg_2: the second layer of the package's network alone, its mean."""
    import lpips

    scaled = [published.net(published.scaling_layer(images))[1] for images in (first, second)]
    one, other = (lpips.normalize_tensor(features) for features in scaled)
    return published.lins[1]((one - other) ** 2).mean(dim=(1, 2, 3))


def test_the_second_layer_is_that_of_the_package(weights: Path, published: torch.nn.Module) -> None:
    ours = lpips_of(installed(find("vgg16"), weights))
    random = torch.Generator().manual_seed(3)
    first, second = (2 * torch.rand(2, 3, 40, 56, generator=random) - 1 for _ in range(2))
    with torch.inference_mode():
        assert torch.allclose(ours(first, second), layer_2(published, first, second), rtol=1e-5, atol=1e-8)
        assert ours(first, first).abs().max() == 0


def test_the_best_autoencoder_counts_and_the_whole_image_is_looked_at(
    weights: Path, published: torch.nn.Module
) -> None:
    pixels = np.asarray(picture(1, smooth=False))
    shown = torch.from_numpy(pixels[2:258, 2:298].copy()).permute(2, 0, 1)[None].float()
    wanted = {}
    with torch.inference_mode():
        for name in ("sd-vae-ft-ema", "sd-vae-ft-mse"):
            again = reconstructed(load_autoencoder(weights / name, name), shown)
            again = (again / 255).mul(255).byte().float()
            wanted[name] = layer_2(published, shown / 127.5 - 1, again / 127.5 - 1).item()
    (signal,) = load(Setup(weights))([sample_of(pixels)])
    assert isinstance(signal, Measured)
    assert signal.numbers["aeroblade_distance"] == pytest.approx(min(wanted.values()), rel=1e-3)
    assert abs(wanted["sd-vae-ft-ema"] - wanted["sd-vae-ft-mse"]) > 0.01 * min(wanted.values())
    assert f"the best of 2 autoencoders, {min(wanted, key=lambda name: wanted[name])}," in signal.sentence


def test_large_images_are_seen_in_their_middle_and_small_ones_mirrored_on() -> None:
    large = framed(np.zeros((3000, 4000, 3), dtype=np.uint8))
    assert large.shape == (880, 1176, 3)
    assert large.shape[0] * large.shape[1] <= MOST_PIXELS
    assert framed(np.zeros((3, 100, 3), dtype=np.uint8)).shape == (8, 96, 3)
    whole = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    assert np.array_equal(framed(whole), whole)


def test_what_is_missing_is_told(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aeroblade, "AUTOENCODERS", ("sdxl-vae",))
    with pytest.raises(WeightsError, match=r"needs an autoencoder: python -m img_ml\.weights pull sdxl-vae"):
        load(Setup(weights))
    monkeypatch.undo()
    monkeypatch.setattr(aeroblade, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="pip install"):
        load(Setup(weights))
