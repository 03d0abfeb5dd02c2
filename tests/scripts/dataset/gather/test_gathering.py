"""Which files of a row are drawn."""

from collections import Counter
from pathlib import PurePosixPath

from scripts.dataset.gather.gathering import draw
from scripts.dataset.gather.snapshots import Blob

MANY = [Blob(f"{number:040x}", f"many/{number}.jpg") for number in range(100)]
FEW = [Blob(f"{number:040x}", f"few/{number}.jpg") for number in range(200, 203)]
ODD = Blob("f" * 40, "odd/\udcff.jpg")


def test_files_are_drawn_evenly_over_folders() -> None:
    drawn = draw([*MANY, *FEW, ODD], 14, "0")
    assert Counter(str(PurePosixPath(blob.path).parent) for blob in drawn) == {"many": 10, "few": 3, "odd": 1}


def test_draws_depend_on_the_seed_and_not_on_the_order() -> None:
    assert draw(MANY, 10, "0") == draw(MANY[::-1], 10, "0")
    assert draw(MANY, 10, "0") != draw(MANY, 10, "1")
    assert draw(MANY, 10, "0") == draw(MANY, 20, "0")[:10]


def test_few_files_are_all_drawn() -> None:
    assert {blob.path for blob in draw(FEW, 100, "0")} == {blob.path for blob in FEW}
