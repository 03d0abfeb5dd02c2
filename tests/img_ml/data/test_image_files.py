"""The one listing of images: by ending, sorted, without what systems leave behind."""

from pathlib import Path

import pytest

from img_ml.data.dataset import DatasetError
from img_ml.data.image_files import image_files


def test_hidden_files_and_system_folders_hold_no_images(tmp_path: Path) -> None:
    for name in (
        "b.JPG",
        "a.png",
        "._a.png",
        ".hidden.jpg",
        "notes.txt",
        "inner/c.webp",
        "__MACOSX/a.png",
        ".git/a.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert image_files(tmp_path) == [tmp_path / "a.png", tmp_path / "b.JPG", tmp_path / "inner" / "c.webp"]
    assert image_files(tmp_path, below=False) == [tmp_path / "a.png", tmp_path / "b.JPG"]


def test_a_folder_that_is_missing_or_holds_no_images_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no folder"):
        image_files(tmp_path / "none")
    with pytest.raises(DatasetError, match="holds no images"):
        image_files(tmp_path)
