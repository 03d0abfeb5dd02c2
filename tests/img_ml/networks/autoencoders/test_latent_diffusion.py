"""Autoencoders of diffusers: the published architecture, names of older releases, and files that do not fit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from forensics.errors import WeightsError
from img_ml.networks.autoencoders.aekl import OUTPUTS, Aekl, classifier
from img_ml.networks.autoencoders.latent_diffusion import CONFIG, TENSORS, load_autoencoder, reconstructed
from img_ml.weights.table import find
from tests.img_ml.tiny import TINY_AUTOENCODER

# Of stabilityai/sd-vae-ft-ema: its size in bytes is that of so many float32 values and a header.
PUBLISHED_VALUES, PUBLISHED_TENSORS, PUBLISHED_BYTES = 83_653_863, 248, 334_643_276
SHAPES = {
    "encoder.conv_in.weight": (128, 3, 3, 3),
    "encoder.down_blocks.3.resnets.1.conv2.weight": (512, 512, 3, 3),
    "encoder.mid_block.attentions.0.to_q.weight": (512, 512),
    "encoder.conv_out.weight": (8, 512, 3, 3),
    "quant_conv.weight": (8, 8, 1, 1),
    "post_quant_conv.bias": (4,),
    "decoder.up_blocks.2.resnets.0.conv_shortcut.weight": (256, 512, 1, 1),
    "decoder.conv_out.weight": (3, 128, 3, 3),
}
# What the published file calls the parts of its attention.
OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def saved(folder: Path, **more: object) -> Path:
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    AutoencoderKL(**{**TINY_AUTOENCODER, **more}).save_pretrained(folder)
    return folder


def test_the_published_architecture_has_its_names_shapes_and_number_of_values() -> None:
    from diffusers import AutoencoderKL

    with torch.device("meta"):
        found = {
            name: tuple(value.shape)
            for name, value in AutoencoderKL(**find("sd-vae-ft-ema").architecture).state_dict().items()
        }
    assert {name: found[name] for name in SHAPES} == SHAPES
    assert len(found) == PUBLISHED_TENSORS
    values = sum(torch.Size(shape).numel() for shape in found.values())
    assert values == PUBLISHED_VALUES
    assert 0 < PUBLISHED_BYTES - 4 * values < 40_000


def test_the_old_names_of_the_published_file_are_understood(tmp_path: Path) -> None:
    folder = saved(tmp_path, mid_block_add_attention=True)
    expected = load_file(folder / TENSORS)
    renamed = {}
    for name, value in expected.items():
        for new, old in OLD.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
        renamed[name] = value
    assert renamed.keys() != expected.keys()
    save_file(renamed, folder / TENSORS, {"format": "pt"})
    found = load_autoencoder(folder, "old").state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_the_same_image_comes_back_the_same_in_grey_levels(tmp_path: Path) -> None:
    network = load_autoencoder(saved(tmp_path), "tiny")
    images = torch.randint(0, 256, (2, 3, 32, 48)).float()
    again = reconstructed(network, images)
    assert again.shape == images.shape
    assert again.min() >= 0
    assert again.max() <= 255
    assert torch.equal(again, reconstructed(network, images))


def test_error_and_detail_of_the_maps_have_the_means_that_are_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Aekl(load_autoencoder(saved(tmp_path), "tiny"), classifier("resnet10t")).eval()
    images = torch.randint(0, 256, (2, 3, 64, 64)).float()
    with torch.no_grad():
        found = network(images)
        rest = (images - reconstructed(network.autoencoder, images)).abs()
    assert found.shape == (2, OUTPUTS)
    error, detail = found[:, 3:].chunk(2, dim=1)
    assert torch.allclose(found[:, 1], rest.mean(dim=(1, 2, 3)), rtol=1e-4)
    assert torch.allclose(error.mean(dim=1), found[:, 1], rtol=1e-4)
    assert torch.allclose(detail.mean(dim=1), found[:, 2], rtol=1e-4)


def test_a_flat_image_has_no_detail_and_an_edge_has() -> None:
    from img_ml.networks.autoencoders.aekl import detail

    images = torch.full((1, 3, 8, 8), 90.0)
    assert detail(images).max() == 0
    images[..., 4:] += 10
    assert detail(images)[0, 0, :, 3].tolist() == [5.0] * 8


@pytest.mark.parametrize("spoil", ["lacks", "has", "shape", "config", "bytes"])
def test_files_that_do_not_fit_are_told(tmp_path: Path, spoil: str) -> None:
    folder = saved(tmp_path)
    tensors = load_file(folder / TENSORS)
    if spoil == "lacks":
        del tensors["quant_conv.bias"]
    elif spoil == "has":
        tensors["more.weight"] = torch.zeros(1)
    elif spoil == "shape":
        tensors["quant_conv.bias"] = torch.zeros(3)
    save_file(tensors, folder / TENSORS, {"format": "pt"})
    if spoil == "config":
        (folder / CONFIG).write_text("[]")
    elif spoil == "bytes":
        (folder / TENSORS).write_bytes(b"nothing")
    with pytest.raises(
        WeightsError, match=f"mine {spoil} the tensor" if spoil in ("lacks", "has") else "mine does not hold"
    ):
        load_autoencoder(folder, "mine")
