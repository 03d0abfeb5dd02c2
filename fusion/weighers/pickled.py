"""Reading joblib bytes. They run code when they are read: only bytes that a manifest vouches for may come here."""

import io
from typing import TypeVar

import joblib

Kind = TypeVar("Kind")


def unpickled(data: bytes, kind: type[Kind]) -> Kind:
    """The object of that kind in the bytes; ValueError where there is none."""
    try:
        found = joblib.load(io.BytesIO(data))
    except Exception as error:
        # Pickles of other releases fail in every way there is.
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if not isinstance(found, kind):
        raise ValueError(f"the file holds a {type(found).__name__}, not a {kind.__name__}")
    return found
