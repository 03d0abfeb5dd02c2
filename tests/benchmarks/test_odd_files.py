"""Odd files: each ends in an outcome of its own, whatever it does to the process that reads it."""

import os
import time
from pathlib import Path
from typing import NoReturn

import pytest

from benchmarks import odd_files
from tests.forensics.provenance.files import saved

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(saved("JPEG"))
    return path


def outcome(path: Path, patience: float = 30) -> odd_files.Outcome:
    return odd_files.one_file(path, patience)


def test_a_picture_is_read_and_what_is_none_is_refused_by_its_code(picture: Path) -> None:
    assert outcome(picture).what == "read"
    picture.write_bytes(b"no picture at all")
    refused = outcome(picture)
    assert (refused.what, refused.is_broken) == ("not_an_image", False)


def test_a_crash_an_exception_and_a_hang_are_told_apart(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(_: object) -> NoReturn:
        raise ZeroDivisionError

    ways = {"crashed": lambda _: os._exit(139), "failed": raises, "hung": lambda _: time.sleep(60)}
    for what, way in ways.items():
        monkeypatch.setattr(odd_files, "analyze", way)
        found = outcome(picture, patience=0.5 if what == "hung" else 30)
        assert (found.what, found.is_broken) == (what, True)


def test_a_collection_tells_its_worst_files() -> None:
    files = [
        odd_files.Outcome("a", "read", 1.5, 10),
        odd_files.Outcome("b", "decode_failed", 0.1, 90),
        odd_files.Outcome("c", "crashed", 0.2, 0),
    ]
    row = odd_files.collection("some", files)
    assert row["ends"] == {"crashed": 1, "decode_failed": 1, "read": 1}
    assert row["slowest"]["file"] == "a"
    assert row["largest"]["file"] == "b"
    assert [one["file"] for one in row["broken"]] == ["c"]
