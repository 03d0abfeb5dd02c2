"""Reading clones: where they may lie, what of a commit is a file, and what damaged objects do."""

import shutil
from pathlib import Path

import pytest

from img_ml.data.dataset import DatasetError
from scripts.dataset.gather import snapshots
from scripts.dataset.gather.snapshots import BlobReader, files_of, find_clone, head_of
from tests.scripts.repositories import bare, object_of, repository

FILES = {"a.txt": b"one", "folder/b c\n.txt": b"two", "e.bin": bytes(range(256)) * 9000}


def read_all(clone: Path) -> dict[str, bytes | None]:
    with BlobReader(clone) as reader:
        return {blob.path: reader.read(blob) for blob in files_of(clone, head_of(clone))}


@pytest.mark.parametrize("place", ["ann+x", "ann/x", "x", "ann+x.git", "ann+x/repo", "ann+x/repo.git"])
def test_clones_are_found_under_every_form_of_their_name(tmp_path: Path, place: str) -> None:
    bare(tmp_path / place, FILES)
    assert find_clone(tmp_path, "ann/x", ["ann/x"]) == tmp_path / place
    shutil.rmtree(tmp_path / place)
    repository(tmp_path / place, FILES)
    assert find_clone(tmp_path, "ann/x", ["ann/x"]) == tmp_path / place / ".git"


def test_a_folder_that_two_repositories_could_mean_is_taken_for_neither(tmp_path: Path) -> None:
    repository(tmp_path / "x", FILES)
    assert find_clone(tmp_path, "ann/x", ["ann/x", "bob/x"]) is None


def test_a_clone_of_another_owner_is_never_taken(tmp_path: Path) -> None:
    for place in ("x/other", "ann/other", "ann+y"):
        repository(tmp_path / place, FILES)
    assert find_clone(tmp_path, "ann/x", ["ann/x"]) is None


def test_every_file_is_read_as_it_was_committed(tmp_path: Path) -> None:
    assert read_all(repository(tmp_path / "x", FILES) / ".git") == FILES
    assert read_all(bare(tmp_path / "y", FILES)) == FILES


def test_links_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "link.txt").symlink_to("/etc/hostname")
    assert set(read_all(repository(tmp_path / "x", FILES) / ".git")) == set(FILES)


def test_absent_and_damaged_objects_do_not_end_the_reading(tmp_path: Path) -> None:
    clone = repository(tmp_path / "x", FILES)
    object_of(clone, "a.txt").unlink()
    damaged = object_of(clone, "folder/b c\n.txt")
    damaged.chmod(0o644)
    damaged.write_bytes(b"no object")
    assert read_all(clone / ".git") == {**FILES, "a.txt": None, "folder/b c\n.txt": None}


def test_an_object_that_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_BYTES", 1000)
    assert read_all(repository(tmp_path / "x", FILES) / ".git") == {**FILES, "e.bin": b""}


def test_a_clone_without_a_commit_is_told(tmp_path: Path) -> None:
    (tmp_path / "x" / "objects").mkdir(parents=True)
    (tmp_path / "x" / "HEAD").write_text("ref: refs/heads/main\n")
    with pytest.raises(DatasetError, match="git cannot read"):
        head_of(tmp_path / "x")
