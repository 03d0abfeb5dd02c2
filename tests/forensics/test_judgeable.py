"""What no detector should judge gets a named reason; photographs, at any size the networks know, do not."""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from forensics.judgeable import LEAST_SIDE, drawn_trees, not_judged
from forensics.picture_numbers import NUMBERS, picture_numbers

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")
TEXT = "The detectors look at the grain of a photograph, and a page of text has none of it. " * 40


def reason_of(image: Image.Image | np.ndarray) -> str | None:
    found = not_judged(np.asarray(image if isinstance(image, np.ndarray) else image.convert("RGB")))
    return None if found is None else found.reason


def photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)())


def page(points: int = 14) -> Image.Image:
    size = (620, 800)
    image = Image.new("L", size, 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(points)
    letters = size[0] // (points * 6 // 10)
    for line, top in enumerate(range(30, size[1] - 30, points * 3 // 2)):
        start = line * letters % 1000
        draw.text((30, top), TEXT[start : start + letters - 8], 0, font)
    return image.convert("RGB")


def icon(side: int) -> Image.Image:
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((side // 8, side // 4, side * 7 // 8, side * 7 // 8), side // 16, fill=(70, 120, 200))
    draw.rectangle((side // 8, side // 5, side // 2, side // 3), fill=(50, 90, 160))
    return image


def wordmark() -> Image.Image:
    image = Image.new("RGB", (640, 240), (250, 250, 250))
    ImageDraw.Draw(image).text((40, 70), "Wordmark", (200, 40, 30), ImageFont.load_default(96))
    return image


def window() -> Image.Image:
    """A screenshot of an interface: a title bar, a list, buttons."""
    image = Image.new("RGB", (900, 600), (240, 240, 242))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    draw.rectangle((0, 0, 900, 34), fill=(48, 52, 60))
    draw.text((14, 10), "Settings", "white", font)
    for row in range(14):
        draw.rectangle((20, 50 + 36 * row, 880, 80 + 36 * row), fill="white", outline=(205, 205, 210))
        draw.text((32, 58 + 36 * row), f"Option {row}: a line that says what it does", (30, 30, 30), font)
        draw.rectangle((800, 56 + 36 * row, 860, 74 + 36 * row), fill=(60, 130, 220))
    return image


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("side", [224, 256, 400])
def test_photographs_are_judged_whole_scaled_and_cropped(name: str, side: int) -> None:
    whole = photograph(name)
    assert reason_of(whole) is None
    scale = side / min(whole.size)
    assert reason_of(whole.resize((round(whole.width * scale), round(whole.height * scale)))) is None
    assert reason_of(np.asarray(whole)[40 : 40 + 224, 60 : 60 + 224]) is None


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_grey_photographs_are_judged(name: str) -> None:
    assert reason_of(photograph(name).convert("L")) is None


def test_a_side_below_the_least_is_too_small_whatever_it_shows() -> None:
    whole = np.asarray(photograph("astronaut"))
    found = not_judged(whole[: LEAST_SIDE - 1, :500])
    assert found is not None
    assert found.reason == "too_small"
    assert f"500 x {LEAST_SIDE - 1} px" in found.sentence
    assert reason_of(whole[:LEAST_SIDE, :LEAST_SIDE]) is None
    assert reason_of(icon(64)) == "too_small"


def test_printed_pages_of_text_are_documents() -> None:
    assert reason_of(page()) == "document"
    assert reason_of(page(points=22)) == "document"


def test_icons_wordmarks_and_windows_are_drawn() -> None:
    assert reason_of(icon(256)) == "graphic"
    assert reason_of(icon(512)) == "graphic"
    assert reason_of(wordmark()) in ("graphic", "document")
    assert reason_of(window()) in ("graphic", "document")


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_one_plain_colour_is_blank(level: int) -> None:
    blank = np.full((300, 400, 3), level, np.uint8)
    assert reason_of(blank) == "blank"
    blank[150:153, 200:203] = 255 - level
    assert reason_of(blank) == "blank"


@pytest.mark.parametrize("grey", [True, False])
def test_pure_noise_is_noise_in_grey_and_in_colour(grey: bool) -> None:
    random = np.random.default_rng(0)
    flat = random.integers(0, 256, (300, 300, 1 if grey else 3), dtype=np.uint8)
    assert reason_of(np.ascontiguousarray(np.broadcast_to(flat, (300, 300, 3)))) == "noise"
    bell = np.clip(random.normal(128, 30, (256, 320, 1 if grey else 3)), 0, 255).astype(np.uint8)
    assert reason_of(np.ascontiguousarray(np.broadcast_to(bell, (256, 320, 3)))) == "noise"


def test_a_noisy_photograph_is_no_noise() -> None:
    pixels = np.asarray(photograph("coffee"), dtype=np.float64)
    noisy = pixels + np.random.default_rng(0).normal(0, 25, pixels.shape)
    assert reason_of(np.clip(noisy, 0, 255).astype(np.uint8)) is None


@pytest.mark.parametrize("shape", [(192, 192, 3), (193, 701, 3), (2000, 200, 3), (1100, 1300, 3)])
def test_every_number_is_finite_at_every_shape(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    for image in (pixels, np.zeros(shape, np.uint8)):
        found = picture_numbers(image)
        assert set(found) == set(NUMBERS)
        assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize("turned", [False, True])
def test_lines_of_text_come_again_upright_and_on_their_side_and_a_photographs_rows_do_not(turned: bool) -> None:
    pixels = np.asarray(page())
    text = picture_numbers(np.ascontiguousarray(pixels.swapaxes(0, 1)) if turned else pixels)
    for name in PHOTOGRAPHS:
        other = picture_numbers(np.asarray(photograph(name)))
        assert text["lines"] > 1.3 * other["lines"]
        assert text["lines_again"] > 1.3 * other["lines_again"]


def test_the_trees_that_ship_ask_for_numbers_that_are_measured() -> None:
    trees = drawn_trees()
    assert set(trees.numbers) <= set(NUMBERS)
    assert len(trees.trees) > 50
