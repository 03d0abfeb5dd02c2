"""Labels, splits, sources and generators as folder names say them."""

from pathlib import Path

import pytest

from scripts.dataset.layouts import read_layout


def reading(path: str, root: str = "data", **label_map: int) -> tuple[int | None, str, str, str]:
    found = read_layout(Path("/fake/ai", root), Path("/fake/ai", root, path), label_map)
    return found.label, found.split, found.source, found.generator


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # GenImage
        ("BigGAN/imagenet_ai_0419_biggan/train/ai/a.png", (1, "train", "BigGAN/imagenet_ai_0419_biggan")),
        ("BigGAN/val/nature/a.png", (0, "val", "BigGAN")),
        # CIFAKE
        ("train/REAL/a.jpg", (0, "train", "data")),
        ("test/FAKE/a.jpg", (1, "test", "data")),
        # CNNDetection
        ("progan/car/0_real/a.png", (0, "", "progan/car")),
        ("progan/car/1_fake/a.png", (1, "", "progan/car")),
        # Folders with several words
        ("training_fake/a.jpg", (1, "train", "data")),
        ("train2017/real_images/a.jpg", (0, "train", "data")),
        ("AiArtData/a.jpg", (1, "", "data")),
        ("RealArt/a.jpg", (0, "", "data")),
        ("validation/midjourney/ai-generated/a.jpg", (1, "val", "midjourney")),
        ("dev/human_art/painters/a.jpg", (0, "val", "painters")),
        ("AUTHENTIC/a.jpg", (0, "", "data")),
        ("synthetic/a.jpg", (1, "", "data")),
    ],
)
def test_known_layouts_are_read(path: str, expected: tuple[int, str, str]) -> None:
    assert reading(path)[:3] == expected


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("non-ai/a.png", 0),
        ("not_fake/a.png", 0),
        ("NonAI/a.png", 0),
        ("nonai/a.png", 0),
        ("not real/a.png", 1),
        ("real_vs_fake/a.png", None),
        ("fake/real_vs_fake/a.png", 1),
        ("real/fake/a.png", 1),
        ("real/Somebody_AI-Art-Detection/a.png", 0),
        ("AI-Art-Detection/real/a.png", 0),
        ("AI-Art-Detection/real_photos/a.png", 0),
        ("ai/authentic/a.png", 0),
        ("fake/human_faces/a.png", 1),
        ("human_faces/a.png", 0),
        ("fake/real-esrgan/a.png", 1),
        ("ai/RealVisXL/a.png", 1),
        ("realistic/a.png", None),
        ("paintings/a.png", None),
        ("paintings/fake_001.png", 1),
        ("paintings/non-ai 3.png", 0),
        ("paintings/realestate.png", None),
        ("real/fake_001.png", 0),
    ],
)
def test_the_deepest_folder_that_decides_labels_the_image(path: str, label: int | None) -> None:
    assert reading(path)[0] == label


def test_the_parents_of_the_root_never_label() -> None:
    assert reading("birds/a.png")[0] is None


def test_the_name_of_the_root_labels_what_no_folder_below_does() -> None:
    assert reading("birds/a.png", root="fake")[0] == 1
    assert reading("nature/a.png", root="ai-dataset")[0] == 0


def test_the_map_goes_before_the_words() -> None:
    assert reading("fake/Birds/a.png", birds=0)[0] == 0
    assert reading("fake/a.png", fake=0)[0] == 0


def test_only_ai_images_have_a_generator_and_it_is_the_nearest_telling_folder() -> None:
    assert reading("sets/SDXL/ai/a.png")[3] == "SDXL"
    assert reading("sets/SDXL/real/a.png")[3] == ""
    assert reading("ai/a.png")[3] == ""


def test_a_split_word_beside_other_words_is_no_split() -> None:
    assert reading("ab_test_photos/real/a.png")[1] == ""
