"""What names on the command line stand for."""

import io
import sys
from pathlib import Path

import pytest

from scripts.checking.inputs import Given, dropped, given


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a b's.PNG", "notes.txt", ".hidden.jpg", "below/c.webp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(*arguments: object) -> list[str]:
    return [one.name for one in given([str(argument) for argument in arguments])]


def test_a_folder_stands_for_the_images_in_it_and_below(folder: Path) -> None:
    assert names(folder) == [str(folder / name) for name in ("a b's.PNG", "b.jpg", "below/c.webp")]


def test_a_pattern_stands_for_the_files_that_match_and_is_told_where_none_does(folder: Path) -> None:
    assert names(folder / "*.jpg") == [str(folder / "b.jpg")]
    assert names(folder / "**" / "*.webp") == [str(folder / "below" / "c.webp")]
    assert names(folder / "*.gif") == [str(folder / "*.gif")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "shot[1].jpg").write_bytes(b"x")
    assert names(folder / "shot[1].jpg") == [str(folder / "shot[1].jpg")]


def test_paths_are_read_as_a_terminal_writes_dragged_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "a b.png").write_bytes(b"x")
    wanted = str(folder / "a b.png")
    escaped = wanted.replace(" ", "\\ ")
    for written in (f"'{wanted}'", f'"{wanted}"', escaped, "~/a b.png", f"file://{wanted.replace(' ', '%20')}"):
        assert names(written) == [wanted]


def test_a_line_of_several_dragged_files_names_each(folder: Path) -> None:
    line = f"'{folder}/b.jpg' {folder}/below/c.webp "
    assert dropped(line) == [f"{folder}/b.jpg", f"{folder}/below/c.webp"]
    assert dropped(f"{folder}/a b's.PNG") == [f"{folder}/a b's.PNG"]
    assert dropped("  ") == []


def test_standard_input_is_an_image_or_a_list_of_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stdin(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    stdin(b"\x89PNG\r\n\x1a\nrest")
    assert list(given(["-"])) == [Given("standard input", b"\x89PNG\r\n\x1a\nrest")]
    stdin(f"{folder}/b.jpg\r\n\nhttps://example.com/x.jpg\n".encode())
    assert names("-") == [f"{folder}/b.jpg", "https://example.com/x.jpg"]
