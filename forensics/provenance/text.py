"""Strangers' text made harmless and readable: JSON, and what may be quoted."""

from forensics.documents import json_of

MOST_QUOTED = 80


def json_object(text: str) -> dict[str, object]:
    """The JSON object in a text; empty where it is none."""
    try:
        content = json_of(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def quoted(text: str) -> str:
    """A stranger's text as it may stand in a sentence: printable, on one line, short."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MOST_QUOTED]).split())
    return line if len(line) <= MOST_QUOTED else line[: MOST_QUOTED - 1] + "…"
