"""FatFormer: the published layout, and its steps against plain float64 references."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from forensics.errors import WeightsError
from img_ml.networks.fatformer.adapter import ForgeryAwareAdapter
from img_ml.networks.fatformer.language import CLASSES, LanguageGuidedAlignment
from img_ml.networks.fatformer.network import FatFormer
from img_ml.networks.fatformer.sizes import Sizes, sizes_of
from img_ml.networks.fatformer.wavelet import Analysis, Synthesis
from tests.img_ml.networks.fatformer_layout import published
from tests.img_ml.tiny import tiny_fatformer

Array = NDArray[np.float64]
Weights = Mapping[str, Array]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def fast(values: Array) -> torch.Tensor:
    return torch.from_numpy(values).float()


def weights_of(module: nn.Module) -> Weights:
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def randomise(module: nn.Module) -> None:
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.normal_(std=0.5 if parameter.ndim < 2 else parameter[0].numel() ** -0.5)


def haar(image: Array) -> Array:
    """The four bands of one channel, pair of pixels by pair of pixels."""
    bands = np.zeros((4, image.shape[0] // 2, image.shape[1] // 2))
    for y in range(bands.shape[1]):
        for x in range(bands.shape[2]):
            (a, b), (c, d) = image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            bands[:, y, x] = [(a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]
    return bands


def inverse_haar(bands: Array) -> Array:
    image = np.zeros((2 * bands.shape[1], 2 * bands.shape[2]))
    for y in range(bands.shape[1]):
        for x in range(bands.shape[2]):
            mean, down, right, both = bands[:, y, x] / 2
            image[2 * y, 2 * x] = mean + down + right + both
            image[2 * y, 2 * x + 1] = mean + down - right - both
            image[2 * y + 1, 2 * x] = mean - down + right - both
            image[2 * y + 1, 2 * x + 1] = mean - down - right + both
    return image


def layer_norm(values: Array, weights: Weights, name: str) -> Array:
    mean, variance = values.mean(axis=-1, keepdims=True), values.var(axis=-1, keepdims=True)
    return (values - mean) / np.sqrt(variance + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def group_norm(values: Array, weights: Weights, name: str, groups: int) -> Array:
    """Of one image's bands (4, places, width)."""
    result = np.zeros_like(values)
    size = values.shape[-1] // groups
    for group in range(groups):
        own = slice(group * size, (group + 1) * size)
        part = values[..., own]
        result[..., own] = (part - part.mean()) / np.sqrt(part.var() + 1e-5)
    return result * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(values: Array, weights: Weights, name: str) -> Array:
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def attention(queries: Array, memory: Array, weights: Weights, name: str, heads: int) -> Array:
    """Of one image, query by query and head by head."""
    width = queries.shape[-1]
    matrices, shifts = weights[f"{name}.in_proj_weight"], weights[f"{name}.in_proj_bias"]
    query = queries @ matrices[:width].T + shifts[:width]
    key = memory @ matrices[width : 2 * width].T + shifts[width : 2 * width]
    value = memory @ matrices[2 * width :].T + shifts[2 * width :]
    gathered, size = np.zeros_like(queries), width // heads
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        for i in range(len(queries)):
            scores = np.exp([query[i, own] @ key[j, own] / np.sqrt(size) for j in range(len(memory))])
            gathered[i, own] = scores / scores.sum() @ value[:, own]
    return linear(gathered, weights, f"{name}.out_proj")


def feed_forward(values: Array, weights: Weights) -> Array:
    return values + linear(np.maximum(linear(values, weights, "linear1"), 0), weights, "linear2")


def frequency_branch(patches: Array, weights: Weights, side: int) -> Array:
    """What the frequency branch adds to one image's patches (side * side, width), before its scale."""
    channels = patches.reshape(side, side, -1)
    bands = np.stack([haar(channels[..., c]).reshape(4, -1) for c in range(channels.shape[-1])], axis=-1)
    bands = group_norm(bands, weights, "dwt_norm", 128)
    between = [attention(bands[:, p], bands[:, p], weights, "intra_band", 8) for p in range(bands.shape[1])]
    bands = layer_norm(bands + np.stack(between, axis=1), weights, "norm_intra")
    inside = [attention(band, band, weights, "inter_band", 8) for band in bands]
    bands = layer_norm(bands + np.stack(inside), weights, "norm_inter")
    bands = layer_norm(feed_forward(bands, weights), weights, "norm3").reshape(4, side // 2, side // 2, -1)
    result = np.stack([inverse_haar(bands[..., c]) for c in range(bands.shape[-1])], axis=-1)
    return result.reshape(patches.shape)


def test_the_full_size_network_has_the_tensors_of_the_authors_release() -> None:
    with torch.device("meta"):
        network = FatFormer(Sizes())
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == published()


def test_the_sizes_are_read_off_the_shapes() -> None:
    assert sizes_of(published()) == Sizes()
    assert Sizes().image == 224


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_model.visual.conv1.weight": None}, r"lack the tensor clip_model\.visual\.conv1\.weight"),
        ({"language_guided_alignment.ctx": (8,)}, "has 1 dimensions, not 2"),
        (
            {"clip_model.visual.positional_embedding": (226, 1024)},
            "225 patches, which do not form a square with an even side",
        ),
    ],
)
def test_shapes_of_another_network_are_refused(change: Mapping[str, tuple[int, ...] | None], message: str) -> None:
    shapes = {name: shape for name, shape in {**published(), **change}.items() if shape is not None}
    with pytest.raises(WeightsError, match=message):
        sizes_of(shapes)


def test_clip_alone_is_refused() -> None:
    shapes = {name: shape for name, shape in published().items() if "adapter" not in name}
    with pytest.raises(WeightsError, match="without FatFormer's adapters"):
        sizes_of(shapes)


def test_the_wavelet_bands_are_those_of_the_reference() -> None:
    images = random(2, 6, 6, 3)
    expected = np.stack([[haar(image[..., c]) for c in range(3)] for image in images])
    found = Analysis()(fast(images).view(2, 36, 3))
    np.testing.assert_allclose(found.view(2, 4, 3, 3, 3), expected.transpose(0, 2, 3, 4, 1), atol=1e-5)


def test_the_inverse_is_that_of_the_reference_and_gives_the_image_back() -> None:
    bands = random(2, 4, 3, 3, 5)
    expected = np.stack([[inverse_haar(one[..., c]) for c in range(5)] for one in bands])
    found = Synthesis()(fast(bands).view(2, 4, 9, 5))
    np.testing.assert_allclose(found.view(2, 6, 6, 5), expected.transpose(0, 2, 3, 1), atol=1e-5)
    image = fast(random(1, 36, 4))
    np.testing.assert_allclose(Synthesis()(Analysis()(image)), image, atol=1e-5)


def test_the_adapter_is_the_sum_of_the_references_of_both_branches() -> None:
    adapter = ForgeryAwareAdapter(256, 8).eval()
    randomise(adapter)
    adapter.freq_scale.fill_(0.7)
    weights, tokens = weights_of(adapter), random(3, 17, 256)
    found = adapter(fast(tokens))
    for image, result in zip(tokens, found, strict=True):
        narrow = np.maximum(image @ weights["first_conv_layer.weight"][..., 0].T + weights["first_conv_layer.bias"], 0)
        expected = narrow @ weights["second_conv_layer.weight"][..., 0].T + weights["second_conv_layer.bias"]
        expected = 0.1 * expected
        expected[1:] += 0.7 * frequency_branch(image[1:], weights, 4)
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_the_enhancer_is_that_of_the_reference() -> None:
    alignment = LanguageGuidedAlignment(Sizes(text_width=96, context_tokens=5)).eval()
    randomise(alignment)
    weights, features = weights_of(alignment), random(3, 10, 96)
    found = alignment.enhanced(fast(features))
    for image, result in zip(features, found, strict=True):
        words = weights["ctx"] + attention(weights["ctx"], image, weights, "patch_basaed_enhancer", 12)
        words = layer_norm(words, weights, "norm1")
        np.testing.assert_allclose(result, layer_norm(feed_forward(words, weights), weights, "norm2"), atol=1e-5)


def test_prompts_cut_behind_their_end_give_the_features_of_whole_ones() -> None:
    network = tiny_fatformer()
    assert isinstance(network, FatFormer)
    guided, encoder = network.language_guided_alignment, network.text_encoder
    features = fast(random(2, 17, 192))
    prompts = guided(features)
    assert prompts.shape == (2, 2, 12, 192)
    end = prompts.shape[2] - 1
    whole = torch.cat([prompts, guided.token_suffix[:, 3:].expand(2, -1, -1, -1)], dim=2).flatten(0, 1)
    tokens = encoder.ln_final(encoder.transformer(whole + encoder.positional_embedding))
    expected = tokens[:, end] @ encoder.text_projection
    np.testing.assert_allclose(encoder(prompts.flatten(0, 1)), expected, atol=1e-5)


def test_the_published_prompts_end_where_they_are_cut() -> None:
    from open_clip import SimpleTokenizer

    learned = " ".join(["X"] * Sizes().context_tokens)
    tokens = SimpleTokenizer()([f"{learned} {word}." for word in CLASSES])
    assert tokens.argmax(dim=-1).tolist() == [11, 11]
    with torch.device("meta"):
        alignment = LanguageGuidedAlignment(Sizes())
        assert alignment(torch.zeros(1, 257, 768)).shape == (1, 2, 12, 768)


def test_the_logits_are_both_cosines_scaled() -> None:
    network = tiny_fatformer()
    assert isinstance(network, FatFormer)
    images = fast(random(2, 3, 224, 224))
    features = network.image_encoder(images)
    assert features.shape == (2, 17, 192)
    weights = weights_of(network)
    for image, found in zip(features.double().numpy(), network(images), strict=True):
        prompts = network.language_guided_alignment(fast(image)[None])[0]
        texts = network.text_encoder(prompts).double().numpy()
        patches = image[1:] + attention(image[1:], texts, weights, "text_guided_interactor", 12)
        patches = layer_norm(feed_forward(layer_norm(patches, weights, "norm1"), weights), weights, "norm2")
        both = [one / np.linalg.norm(one) for one in (image[0], patches.mean(axis=0))]
        expected = [np.exp(2) * sum(one @ text for one in both) / np.linalg.norm(text) for text in texts]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_part_with_two_names_is_one_part() -> None:
    network = tiny_fatformer()
    assert isinstance(network, FatFormer)
    assert network.image_encoder is network.clip_model.visual
    assert network.text_encoder.transformer is network.clip_model.transformer
