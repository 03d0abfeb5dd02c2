"""Which images count as looking alike."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.dataset.inventory import ImageFacts, read_facts
from scripts.dataset.near_duplicates import alike_clusters, alike_pairs, clusters
from tests.scripts.pictures import save, scene


def facts(path: Path) -> ImageFacts:
    found = read_facts(path)
    assert isinstance(found, ImageFacts)
    return found


def pairs(*paths: Path) -> list[list[int]]:
    return alike_pairs([facts(path) for path in paths]).tolist()


@pytest.mark.parametrize("name", ["b.jpg", "b.webp"])
def test_a_copy_encoded_again_at_half_the_size_looks_alike(tmp_path: Path, name: str) -> None:
    first = save(tmp_path / "a.png", 1, 256, 256)
    scene(1, 256, 256).resize((128, 128)).save(tmp_path / name, quality=50)
    assert pairs(first, tmp_path / name) == [[0, 1]]


def test_other_scenes_and_plain_surfaces_do_not_look_alike(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{number}.png", number) for number in range(12)]
    for grey in (20, 60, 250):
        path = tmp_path / f"plain{grey}.png"
        Image.new("RGB", (96, 96), (grey, grey, grey)).save(path)
        paths.append(path)
    assert pairs(*paths) == []


def test_clusters_join_what_chains_of_pairs_join() -> None:
    found = clusters(5, np.array([[0, 3], [3, 4]]))
    assert found[0] == found[3] == found[4]
    assert len(set(found.tolist())) == 3


def test_a_single_image_and_none_have_no_pairs(tmp_path: Path) -> None:
    assert pairs(save(tmp_path / "a.png", 1)) == []
    assert pairs() == []


def test_copies_and_what_looks_like_them_share_a_cluster(tmp_path: Path) -> None:
    paths = [save(tmp_path / name, number) for name, number in (("a.png", 1), ("b.png", 2), ("c.png", 1), ("d.jpg", 1))]
    first, other, copy, again = alike_clusters([facts(path) for path in paths]).tolist()
    assert first == copy == again != other
