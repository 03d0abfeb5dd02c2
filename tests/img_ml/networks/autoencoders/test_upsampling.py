"""Upsampling autoencoders: every kind keeps the size, is saved and found again, and begins where it should."""

import json
from pathlib import Path

import pytest
import torch

from forensics.errors import WeightsError
from img_ml.networks.autoencoders.upsampling import (
    CONFIG,
    TENSORS,
    UPSAMPLINGS,
    AutoencoderDesign,
    UpsamplingAutoencoder,
    begin_with,
    cosines,
    is_upsampling_autoencoder,
    load_upsampling_autoencoder,
    save_upsampling_autoencoder,
)
from img_ml.networks.autoencoders.vector_quantizer import GroupedQuantizer

SMALL = {"width": 8, "latents": 16, "codes": 8}
IMAGES = torch.arange(2 * 3 * 32 * 40, dtype=torch.float32).reshape(2, 3, 32, 40) % 256


def made(**design: object) -> UpsamplingAutoencoder:
    torch.manual_seed(0)
    return UpsamplingAutoencoder(AutoencoderDesign(**{**SMALL, **design}))  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [4, 8])
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_every_kind_gives_images_of_the_same_size(upsampling: str, factor: int) -> None:
    again, _ = made(upsampling=upsampling, factor=factor).eval()(IMAGES)
    assert again.shape == IMAGES.shape


def test_the_kinds_differ_in_their_upsampling_alone() -> None:
    states = {kind: made(upsampling=kind).state_dict() for kind in UPSAMPLINGS}
    shapes = {kind: {name: value.shape for name, value in state.items()} for kind, state in states.items()}
    assert shapes["nearest"] == shapes["bilinear"]
    differing = set(shapes["nearest"].items()) ^ set(shapes["transposed"].items())
    assert {name.rsplit(".", 2)[0] for name, _ in differing} == {"decoder.4", "decoder.7"}


def test_only_training_sees_noise() -> None:
    network = made()
    with torch.no_grad():
        assert torch.equal(network.eval()(IMAGES)[0], network(IMAGES)[0])
        assert not torch.equal(network.train()(IMAGES)[0], network(IMAGES)[0])


@pytest.mark.parametrize("bottleneck", ["noise", "vq"])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, bottleneck: str) -> None:
    network = made(bottleneck=bottleneck).eval()
    save_upsampling_autoencoder(network, tmp_path, {"psnr": 30.0})
    assert is_upsampling_autoencoder(tmp_path)
    loaded = load_upsampling_autoencoder(tmp_path)
    assert loaded.design == network.design
    with torch.no_grad():
        assert torch.equal(loaded(IMAGES)[0], network(IMAGES)[0])


@pytest.mark.parametrize("change", [{"factor": 3}, {"upsampling": "magic"}, {"width": -1}, {"width": "8"}])
def test_a_description_of_something_else_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    save_upsampling_autoencoder(made(), tmp_path, {})
    told = json.loads((tmp_path / CONFIG).read_text())
    (tmp_path / CONFIG).write_text(json.dumps({**told, **change}))
    with pytest.raises(WeightsError, match="does not describe an upsampling autoencoder"):
        load_upsampling_autoencoder(tmp_path)


def test_tensors_that_are_missing_are_told(tmp_path: Path) -> None:
    save_upsampling_autoencoder(made(), tmp_path, {})
    (tmp_path / TENSORS).unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        load_upsampling_autoencoder(tmp_path)


def test_another_kind_begins_with_the_shared_layers(tmp_path: Path) -> None:
    save_upsampling_autoencoder(made(), tmp_path, {})
    torch.manual_seed(1)
    other = UpsamplingAutoencoder(AutoencoderDesign(**{**SMALL, "upsampling": "transposed"}))  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in other.state_dict().items()}
    taken = begin_with(other, tmp_path)
    assert taken == len(before)
    assert torch.equal(other.state_dict()["decoder.0.weight"], made().state_dict()["decoder.0.weight"])
    assert not torch.equal(other.state_dict()["decoder.7.0.weight"], before["decoder.7.0.weight"])


@pytest.mark.parametrize("upsampling", ["transposed", "shuffle"])
def test_phases_that_are_not_moved_apart_do_what_nearest_neighbours_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upsampling: str
) -> None:
    monkeypatch.setattr("img_ml.networks.autoencoders.upsampling._APART", 0.0)
    nearest, other = made().eval(), made(upsampling=upsampling).eval()
    save_upsampling_autoencoder(nearest, tmp_path, {})
    assert begin_with(other, tmp_path) == len(other.state_dict())
    with torch.no_grad():
        again, expected = other(IMAGES)[0], nearest(IMAGES)[0]
    # At the border the one adds zeros before doubling, the other after it.
    assert torch.allclose(again[..., 8:-8, 8:-8], expected[..., 8:-8, 8:-8], atol=1e-2)


@pytest.mark.parametrize("side", [4, 8])
def test_the_linear_view_begins_with_independent_cosines_of_low_frequency(side: int) -> None:
    filters = cosines(3 * side * side, side).flatten(1)
    products = filters @ filters.T
    assert torch.allclose(products, torch.diag(products.diag()), atol=1e-4)
    assert torch.allclose(filters[0], filters[0, 0].expand(3 * side * side))


def test_codes_stand_in_for_latents_and_gradients_pass_straight_through() -> None:
    quantizer = GroupedQuantizer(4, codes=8, groups=2).eval()
    latents = torch.randn(1, 4, 3, 3, requires_grad=True)
    passed, _ = quantizer(latents)
    cells = passed.permute(0, 2, 3, 1).reshape(-1, 2, 2)
    for group, book in enumerate(quantizer.codebooks):
        assert torch.cdist(cells[:, group], book).min(dim=1).values.max() < 1e-5
    passed.sum().backward()
    assert latents.grad is not None
    assert torch.equal(latents.grad, torch.ones_like(latents))


def test_codes_that_nothing_chooses_move_to_where_latents_are() -> None:
    torch.manual_seed(0)
    quantizer = GroupedQuantizer(2, codes=32, groups=1).train()
    latents = torch.randn(8, 2, 8, 8) + 50
    for _ in range(60):
        quantizer(latents)
    assert (quantizer.codebooks.detach().mean(dim=2) > 40).float().mean() > 0.8


def test_codes_move_in_half_precision_too() -> None:
    quantizer = GroupedQuantizer(2, codes=8, groups=1).train()
    passed, loss = quantizer(torch.randn(1, 2, 4, 4, dtype=torch.bfloat16) + 5)
    assert torch.isfinite(loss)
    assert torch.isfinite(passed).all()
