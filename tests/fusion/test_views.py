"""Training views: seeded, blind to the label, native in resolution, free of metadata."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from forensics.types import ImageSample
from fusion.views import View, draw_view, render_view


@pytest.fixture(scope="module")
def sample() -> ImageSample:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return ImageSample(b"", hashlib.sha256(pixels.tobytes()).hexdigest(), "image/png", pixels)


def test_a_view_depends_on_bytes_index_and_seed_only(sample: ImageSample) -> None:
    first = render_view(sample, draw_view(sample.sha256, 0, 7))
    assert first == render_view(sample, draw_view(sample.sha256, 0, 7))
    assert first != render_view(sample, draw_view(sample.sha256, 1, 7))
    assert first != render_view(sample, draw_view(sample.sha256, 0, 8))


def test_a_lossless_unscaled_view_is_a_native_crop(sample: ImageSample) -> None:
    rendered = np.asarray(Image.open(io.BytesIO(render_view(sample, View(1.0, 0.0, 1.0, "PNG", 90, 0)))))
    assert np.array_equal(rendered, sample.pixels[300 - 224 :, :224])


def test_drawn_views_cover_the_announced_mix() -> None:
    views = [draw_view(f"{i:064x}", 0, 0) for i in range(2000)]
    share = {name: np.mean([v.format == name for v in views]) for name in ("JPEG", "WEBP", "PNG")}
    assert share == pytest.approx({"JPEG": 0.7, "WEBP": 0.2, "PNG": 0.1}, abs=0.04)
    assert np.mean([v.scale < 1 for v in views]) == pytest.approx(0.3, abs=0.04)
    assert {v.quality for v in views} == set(range(70, 96))


def test_a_scaled_view_is_smaller(sample: ImageSample) -> None:
    image = Image.open(io.BytesIO(render_view(sample, View(0, 0, 0.5, "JPEG", 80, 2))))
    assert image.size == (112, 112)
    assert not image.getexif()
