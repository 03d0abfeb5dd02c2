"""Views: seeded, blind to the label, native in resolution, named by what they do."""

import hashlib
import io

import numpy as np
import piexif
import pytest
from PIL import Image

from forensics.reading.decode import decode
from forensics.types import ImageSample
from img_ml.data.dataset import Row
from img_ml.data.views import AS_IT_IS, View, draw_view, render_view, training_views
from tests.forensics.pictures import photo, sample_of


@pytest.fixture(scope="module")
def sample() -> ImageSample:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return ImageSample(b"bytes", hashlib.sha256(pixels.tobytes()).hexdigest(), "image/png", pixels)


def shown(sample: ImageSample, view: View) -> Image.Image:
    return Image.open(io.BytesIO(render_view(sample, view)))


def test_a_view_depends_on_bytes_index_and_seed_only(sample: ImageSample) -> None:
    first = draw_view(sample.sha256, 0, 7)
    assert first == draw_view(sample.sha256, 0, 7)
    assert len({first, draw_view(sample.sha256, 1, 7), draw_view(sample.sha256, 0, 8)}) == 3
    assert render_view(sample, first) == render_view(sample, first)


def test_a_lossless_unscaled_view_is_a_native_crop(sample: ImageSample) -> None:
    image = shown(sample, View(encoder="png", crop=224, top=1.0, left=0.0))
    assert np.array_equal(np.asarray(image), sample.pixels[300 - 224 :, :224])


def test_drawn_views_cover_the_announced_mix() -> None:
    views = [draw_view(f"{i:064x}", 0, 0) for i in range(2000)]
    share = {name: np.mean([v.encoder == name for v in views]) for name in ("jpeg", "webp", "png")}
    assert share == pytest.approx({"jpeg": 0.7, "webp": 0.2, "png": 0.1}, abs=0.04)
    assert np.mean([v.scale < 1 for v in views]) == pytest.approx(0.3, abs=0.04)
    assert np.mean([v.blur > 0 for v in views]) == pytest.approx(0.1, abs=0.03)
    assert np.mean([v.grey for v in views]) == pytest.approx(0.1, abs=0.03)
    assert np.mean([v.exif for v in views]) == pytest.approx(0.5, abs=0.04)
    assert {v.quality for v in views} == set(range(70, 96))


def test_learning_images_get_random_views_and_test_images_their_file(sample: ImageSample) -> None:
    views = training_views(3, 0)
    learned = views(Row(None, 1, "train", "s", "ai"), sample.sha256)  # type: ignore[arg-type]
    assert learned == tuple(draw_view(sample.sha256, index, 0) for index in range(3))
    assert views(Row(None, 1, "test", "s", "ai"), sample.sha256) == (AS_IT_IS,)  # type: ignore[arg-type]
    assert render_view(sample, AS_IT_IS) == sample.data


@pytest.mark.parametrize(
    ("view", "size"),
    [
        (View(encoder="jpeg", quality=80, scale=0.5), (200, 150)),
        (View(encoder="jpeg", quality=80, longest_side=160), (160, 120)),
        (View(encoder="png", longest_side=4000), (400, 300)),
        (View(encoder="png", margin=0.05), (440, 340)),
        (View(encoder="webp", quality=80, crop=1000), (400, 300)),
    ],
)
def test_a_view_has_the_size_it_says(sample: ImageSample, view: View, size: tuple[int, int]) -> None:
    assert shown(sample, view).size == size


def test_grey_and_blur_do_what_they_say(sample: ImageSample) -> None:
    grey = np.asarray(shown(sample, View(encoder="png", grey=True)))
    assert (grey[..., 0] == grey[..., 1]).all()
    blurred = np.asarray(shown(sample, View(encoder="png", blur=1.5)))
    assert blurred.std() < 0.5 * sample.pixels.std()


def test_names_tell_views_apart_and_the_file_as_it_is_has_one(sample: ImageSample) -> None:
    assert AS_IT_IS.name == "as it is"
    assert View(encoder="jpeg", quality=70).name == "v1 encoder=jpeg quality=70"
    names = {draw_view(f"{i:064x}", index, 0).name for i in range(200) for index in range(2)}
    assert len(names) == 400


def turned_photo() -> ImageSample:
    """A photograph with EXIF that names a camera and an orientation."""
    exif = piexif.dump({"0th": {piexif.ImageIFD.Make: b"Canon", piexif.ImageIFD.Orientation: 6}})
    return sample_of(photo("coffee")[:80, :120], "JPEG", exif=exif)


@pytest.mark.parametrize("encoder", ["jpeg", "webp", "png"])
def test_kept_exif_names_the_camera_but_does_not_turn_the_picture_again(encoder: str) -> None:
    sample = turned_photo()
    kept = decode(render_view(sample, View(encoder=encoder, quality=90, exif=True)))  # type: ignore[arg-type]
    assert b"Canon" in kept.metadata.exif
    assert kept.pixels.shape == sample.pixels.shape
    dropped = decode(render_view(sample, View(encoder=encoder, quality=90)))  # type: ignore[arg-type]
    assert not dropped.metadata.exif


def test_the_stripped_view_loses_metadata_and_nothing_else() -> None:
    sample = turned_photo()
    stripped = decode(render_view(sample, View(encoder="strip")))
    assert not stripped.metadata.exif
    assert sorted(stripped.pixels.shape) == sorted(sample.pixels.shape)


def test_damaged_exif_is_left_out_not_passed_on() -> None:
    from dataclasses import replace

    sample = turned_photo()
    broken = replace(sample, metadata=replace(sample.metadata, exif=b"MM\0*\xff\xff\xff\xff" * 3))
    assert decode(render_view(broken, View(encoder="jpeg", quality=90, exif=True))).width == sample.width
