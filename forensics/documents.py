"""Strangers' JSON and TOML: whatever is wrong with a text, too deep a nesting included, is a ValueError."""

import json
import tomllib
from typing import Any

_TOO_DEEP = "it is nested too deeply"


def json_of(text: str | bytes) -> Any:
    """The content of a JSON text; ValueError where it is none."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def toml_of(text: str) -> dict[str, Any]:
    """The content of a TOML text; ValueError where it is none."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
