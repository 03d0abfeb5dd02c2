"""Preprocessing on the device: bit for bit what Pillow does, with the crops of the published processors."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from forensics.errors import WeightsError
from forensics.types import Pixels
from img_ml.engine.preprocess import Preprocessor, Window, _pillow_agrees, published, resized, windows
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from tests.forensics.pictures import photo

CPU = torch.device("cpu")
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = [
    ((1, 1), (64, 64)),
    ((512, 512), (64, 64)),
    ((7, 900), (32, 4114)),
    ((300, 451), (256, 384)),
    ((64, 90), (64, 90)),
    ((517, 226), (512, 224)),
]
DINO = {
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": IMAGENET_MEAN,
    "image_std": IMAGENET_STD,
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 256},
}


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def facts(tmp_path: Path, **changed: object) -> Preprocessing:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({name: value for name, value in {**DINO, **changed}.items() if value is not None}))
    return published(path)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("before", "after"), SIZES, ids=str)
def test_resizing_gives_pillows_values(name: str, before: tuple[int, int], after: tuple[int, int]) -> None:
    pixels = noise(*before)
    # Pillow 13 takes the rows first where that is cheaper; here it is always the columns.
    narrow = Image.fromarray(pixels).resize((after[1], before[0]), FILTERS[name])
    expected = np.asarray(narrow.resize(after[::-1], FILTERS[name])).transpose(2, 0, 1)
    rows, columns = (Window(a, b, 0, b) for a, b in zip(before, after, strict=True))
    np.testing.assert_array_equal(resized(pixels, rows, columns, name, CPU).numpy(), expected)
    top, left = after[0] // 3, after[1] // 3
    part = Window(before[0], after[0], top, 20), Window(before[1], after[1], left, 20)
    np.testing.assert_array_equal(
        resized(pixels, *part, name, CPU).numpy(), expected[:, top : top + 20, left : left + 20]
    )


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("agrees", [True, False])
def test_pillow_itself_and_the_matrices_give_the_same_values(
    monkeypatch: pytest.MonkeyPatch, name: str, agrees: bool
) -> None:
    monkeypatch.setattr("img_ml.engine.preprocess._pillow_agrees", lambda resample: agrees)
    parts = [
        (Window(120, 64, 3, 40), Window(200, 90, 20, 60)),
        (Window(30, 80, 0, 80), Window(50, 70, -10, 90)),
        (Window(64, 64, 10, 20), Window(64, 64, 0, 64)),
    ]
    for height, width in parts:
        pixels = noise(height.before, width.before)
        wide = Image.fromarray(pixels).resize((width.after, height.before), FILTERS[name])
        whole = np.asarray(wide.resize((width.after, height.after), FILTERS[name])).transpose(2, 0, 1)
        whole = np.pad(whole, ((0, 0), (0, 0), (10, 10)))
        left = 10 + width.start
        expected = whole[:, height.start : height.start + height.size, left : left + width.size]
        np.testing.assert_array_equal(resized(pixels, height, width, name, CPU).numpy(), expected)


def test_another_arithmetic_under_pillows_name_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("img_ml.engine.preprocess._by_pillow", lambda *_: torch.zeros(3, 16, 23))
    assert not _pillow_agrees.__wrapped__("bicubic")
    monkeypatch.undo()
    assert _pillow_agrees.__wrapped__("bicubic")


@pytest.mark.parametrize("size", [(512, 512), (300, 451), (40, 1000), (225, 226), (1, 1)], ids=str)
@pytest.mark.parametrize(
    "changed",
    [{}, {"size": {"shortest_edge": 224}}, {"size": {"height": 256, "width": 256}}, {"do_resize": False}],
    ids=str,
)
def test_it_equals_the_processor_of_transformers(
    tmp_path: Path, size: tuple[int, int], changed: dict[str, object]
) -> None:
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    described = facts(tmp_path, **changed)
    pixels = noise(*size)
    reference = BitImageProcessorPil(**{**DINO, **changed})
    expected = np.asarray(reference(Image.fromarray(pixels), return_tensors="np")["pixel_values"][0])
    found = Preprocessor(described, "cpu")(pixels).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("width", [200, 340])
def test_a_tall_photograph_differs_by_a_grey_level_or_two_where_pillow_takes_the_columns_first(
    tmp_path: Path, width: int
) -> None:
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    pixels = np.ascontiguousarray(photo()[:, :width])
    expected = BitImageProcessorPil(**DINO)(Image.fromarray(pixels), return_tensors="np")["pixel_values"][0]
    difference = np.abs(Preprocessor(facts(tmp_path), "cpu")(pixels).numpy() - expected)
    assert difference.max() <= 2.001 / 255 / min(IMAGENET_STD)
    assert difference.mean() < 0.3 / 255 / min(IMAGENET_STD)


def test_it_equals_the_transform_of_open_clip() -> None:
    from open_clip.transform import image_transform

    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    reference = image_transform(224, is_train=False, mean=mean, std=std)
    preprocess = Preprocessor(Preprocessing(224, mean, std, shortest=224), "cpu")
    for pixels in (photo(), noise(301, 500), noise(226, 517)):
        torch.testing.assert_close(preprocess(pixels), reference(Image.fromarray(pixels)), atol=1e-5, rtol=0)


def test_the_torchvision_processor_of_transformers_differs_by_a_grey_level_at_most_where_the_margin_is_even(
    tmp_path: Path,
) -> None:
    from transformers.models.bit.image_processing_bit import BitImageProcessor

    expected = BitImageProcessor(**DINO)(Image.fromarray(photo()), return_tensors="pt")["pixel_values"][0]
    difference = (Preprocessor(facts(tmp_path), "cpu")(photo()) - expected).abs()
    one_level = 1 / 255 / min(IMAGENET_STD)
    assert difference.max() <= one_level * 1.001
    assert difference.mean() < one_level / 10


def test_a_huge_upscaling_is_computed_where_the_crop_looks_only() -> None:
    preprocess = Preprocessor(Preprocessing(224, IMAGENET_MEAN, IMAGENET_STD, shortest=256), "cpu")
    # Resized as a whole this would be 2,048,000 x 256 pixels.
    assert preprocess(noise(1, 8000)).shape == (3, 224, 224)


def test_margins_are_halved_as_each_library_does() -> None:
    down, even = (Preprocessing(224, IMAGENET_MEAN, IMAGENET_STD, shortest=224, centre=c) for c in ("down", "even"))
    assert windows(down, 224, 227)[1].start == 1
    assert windows(even, 224, 227)[1].start == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"size": {"longest_edge": 224}, "crop_size": None, "do_center_crop": False},
        {"size": {"height": 224, "width": 200}},
        {"crop_size": {"height": 224, "width": 200}},
        {"rescale_factor": 1.0},
        {"resample": 0},
        {"image_mean": None},
    ],
    ids=str,
)
def test_what_it_cannot_do_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="does not describe a known preprocessing"):
        facts(tmp_path, **changed)
