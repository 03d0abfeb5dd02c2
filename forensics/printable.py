"""Strangers' text for a terminal: file names and job fields move no cursor, colour nothing and turn no line around."""

import re

_HARMLESS = "\n\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
# The control characters that Unicode has beyond ASCII, and those that reorder or break lines.
_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with every character that a terminal might obey written as an escape; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _HARMLESS else ascii(one)[1:-1] for one in text)


def on_one_line(text: str) -> str:
    """The same with line breaks written as escapes, too."""
    return printable(text).replace("\n", "\\n")


def printable_json(text: str) -> str:
    """JSON text that means the same and holds nothing that a terminal might obey."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
