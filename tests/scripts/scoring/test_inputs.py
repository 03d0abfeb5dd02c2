"""What an input holds is listed in one fixed order, and what cannot be scored is refused in a sentence."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forensics.errors import UsageError
from img_ml.data.dataset import DatasetError
from scripts.scoring.inputs import Listing, Piece, read_listing
from scripts.scoring.reading import sources
from tests.scripts.scoring.datasets import write_csv, write_folder, write_hub_parquet

NOWHERE = Path("elsewhere")


def images_of(listing: Listing, start: int, stop: int) -> list[tuple[str, object]]:
    return list(sources(listing.span(start, stop), listing.column))


def test_a_folder_is_listed_by_name_without_its_own_scores(tmp_path: Path) -> None:
    images = write_folder(tmp_path, 6)
    out = tmp_path / "scores"
    out.mkdir()
    before = read_listing(tmp_path, None, out)
    (out / "part-00000.parquet").write_bytes(b"")
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    listing = read_listing(tmp_path, None, out)
    assert [piece.name for piece in listing.pieces] == list(images)
    assert listing == before


def test_another_image_another_size_and_another_column_make_another_listing(tmp_path: Path) -> None:
    write_folder(tmp_path, 4)
    digests = {read_listing(tmp_path, None, NOWHERE).digest}
    (tmp_path / "000.jpg").write_bytes(b"shorter")
    digests.add(read_listing(tmp_path, None, NOWHERE).digest)
    (tmp_path / "more.png").write_bytes(b"")
    digests.add(read_listing(tmp_path, None, NOWHERE).digest)
    assert len(digests) == 3


def test_every_span_of_parquet_rows_holds_these_rows_and_no_others(tmp_path: Path) -> None:
    images = [b"%d" % number for number in range(17)]
    write_hub_parquet(tmp_path, images)
    listing = read_listing(tmp_path, None, NOWHERE)
    names = [f"0000.parquet#{n}" for n in range(8)] + [f"0001.parquet#{n}" for n in range(9)]
    expected = list(zip(names, images, strict=True))
    assert (listing.images, listing.column) == (17, "image.bytes")
    for start in range(17):
        for stop in range(start + 1, 18):
            assert images_of(listing, start, stop) == expected[start:stop]


def test_a_row_without_bytes_and_a_file_that_broke_since_are_errors_of_their_rows(tmp_path: Path) -> None:
    write_hub_parquet(tmp_path, [b"a", None, b"c", b"d"])
    listing = read_listing(tmp_path, None, NOWHERE)
    (tmp_path / "0001.parquet").write_bytes(b"gone")
    found = [getattr(source, "code", source) for _, source in images_of(listing, 0, 4)]
    assert found == [b"a", "bad_job", "fetch_failed", "fetch_failed"]


def test_a_file_with_fewer_rows_than_listed_gives_errors_for_the_rest(tmp_path: Path) -> None:
    write_hub_parquet(tmp_path, [b"a", b"b"])
    found = list(sources([Piece("x", str(tmp_path / "0000.parquet"), 0, 3)], "image.bytes"))
    assert [name for name, _ in found] == ["x#0", "x#1", "x#2"]
    assert found[0][1] == b"a"
    assert "fewer rows" in str(found[2][1])


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_the_column_is_found_or_named(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "some.parquet"
    data = pa.array([b"a"], kind)
    pq.write_table(pa.table({"thumbnail.bytes": data, "content": data, "label": [1]}), path)
    with pytest.raises(DatasetError, match=r"unclear.*thumbnail.bytes, content"):
        read_listing(path, None, NOWHERE)
    with pytest.raises(DatasetError, match="no column label of image bytes"):
        read_listing(path, "label", NOWHERE)
    for column in ("content", "thumbnail.bytes"):
        assert images_of(read_listing(path, column, NOWHERE), 0, 1) == [("some.parquet#0", b"a")]
    pq.write_table(pa.table({"content": data, "bytes": data}), path)
    assert read_listing(path, None, NOWHERE).column == "bytes"


def test_a_csv_names_urls_and_paths_relative_to_itself(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "list.csv", "filepath", ["a/b.jpg", "https://example.org/x.png", "", "/c.jpg"])
    listing = read_listing(path, None, NOWHERE)
    assert [piece.name for piece in listing.pieces] == ["a/b.jpg", "https://example.org/x.png", "", "/c.jpg"]
    assert [piece.place for piece in listing.pieces] == [
        str(tmp_path / "a" / "b.jpg"),
        "https://example.org/x.png",
        "",
        "/c.jpg",
    ]
    assert read_listing(path, "number", NOWHERE).digest != listing.digest


def test_what_cannot_be_scored_is_refused_in_a_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    mixed = tmp_path / "mixed"
    write_folder(mixed, 4)
    write_hub_parquet(mixed, [b"a"] * 2)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1")
    (tmp_path / "latin.csv").write_bytes("filepath\nä.jpg\n".encode("latin-1"))
    images = tmp_path / "images"
    write_folder(images, 4)
    for source, column, told in (
        (tmp_path / "none", None, "does not exist"),
        (empty, None, "neither images nor Parquet"),
        (mixed, None, "of one kind"),
        (broken, None, "cannot be read as Parquet"),
        (images / "000.jpg", None, "does not end in .parquet or .csv"),
        (images, "url", "no column url"),
        (write_csv(tmp_path / "other.csv", "name", ["x"]), None, "no column image_url or url or filepath"),
        (write_csv(tmp_path / "short.csv", "url", []), None, "lists no images"),
        (tmp_path / "latin.csv", None, "is not UTF-8 text"),
    ):
        with pytest.raises((DatasetError, UsageError), match=told):
            read_listing(source, column, NOWHERE)
