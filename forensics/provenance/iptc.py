"""The texts of an IPTC block: credit, byline, caption and the program that wrote it (IPTC IIM 4.2)."""

from collections.abc import Iterator

MOST_DATASETS = 1000
_APPLICATION = 2
_NAMES = {65: "program", 80: "byline", 105: "headline", 110: "credit", 115: "source", 120: "caption"}


def iptc_texts(block: bytes) -> Iterator[tuple[str, str]]:
    """(name, text) of the datasets that say who or what made the image; damaged tails are ignored."""
    at = 0
    for _ in range(MOST_DATASETS):
        if at + 5 > len(block) or block[at] != 0x1C:
            return
        record, dataset, size = block[at + 1], block[at + 2], int.from_bytes(block[at + 3 : at + 5], "big")
        if size & 0x8000 or at + 5 + size > len(block):
            return
        if record == _APPLICATION and dataset in _NAMES:
            yield _NAMES[dataset], _decoded(block[at + 5 : at + 5 + size])
        at += 5 + size


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8").strip("\0 ")
    except UnicodeDecodeError:
        return value.decode("latin-1").strip("\0 ")
