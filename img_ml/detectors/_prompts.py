"""Prompts: the texts of both classes that CLIP compares an image with, from a file that users may replace."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forensics.documents import toml_of
from forensics.errors import ArtifactError

SHIPPED = Path(__file__).parent / "prompts.toml"
# Where users put their own, in the folder of weights.
OWN = "prompts.toml"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Texts that describe images made by a machine, and texts that describe others; at least one each."""

    ai: tuple[str, ...]
    real: tuple[str, ...]


def load_prompts(weights: Path, chosen: str = "") -> Prompts:
    """The prompts of the file that a profile chose, else of the weights folder's own, else the shipped ones.

    `chosen` is relative to the weights folder. Raises ArtifactError where the file is missing or holds none.
    """
    own = weights / (chosen or OWN)
    path = own if chosen or own.is_file() else SHIPPED
    try:
        return _prompts(toml_of(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"The prompt file {path} cannot be used: {error}") from error


def _prompts(content: Mapping[str, Any]) -> Prompts:
    for name in content:
        if name not in ("ai", "real"):
            raise ValueError(f"{name!r} is neither ai nor real")
    return Prompts(_texts(content, "ai"), _texts(content, "real"))


def _texts(content: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = content.get(name)
    if not isinstance(texts, list) or not texts:
        raise ValueError(f"it holds no list of texts named {name}")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{text!r} of {name} is not a text")
    return tuple(texts)
