"""Images that no detector should judge: too small, blank, noise, a page of text, an icon, a screen or a wordmark.

Two steps: limits on single numbers say what is too small, blank or noise; boosted trees over
`forensics.picture_numbers` tell what was drawn from what was photographed, painted or rendered.
`python -m benchmarks.judgeable_gate` measures the trees on folders of images, and trains others.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from forensics.picture_numbers import picture_numbers
from forensics.types import NotJudged, NotJudgedReason, Pixels

# Raise whenever the same pixels may now be judged differently.
GATE_VERSION = 2
# The networks learn from crops of 224 px. Photographs scaled down to less are called AI more often: docs/results.md.
LEAST_SIDE = 224
# Nearly all pixels of nearly one brightness, and no block with anything on it.
BLANK_MODE, BLANK_FLAT, BLANK_SPREAD = 0.998, 0.98, 6.0
# Neighbours that say nothing about each other, as strong everywhere.
NOISE_CORRELATION, NOISE_SPREAD, NOISE_EVENNESS = 0.12, 8.0, 0.45
# A document has a bright, colourless ground; any other drawing is a graphic.
DOCUMENT_GROUND, DOCUMENT_SATURATION = 150, 24.0
TREES = Path(__file__).parent / "drawn_trees.json"

_SENTENCES: Mapping[NotJudgedReason, str] = {
    "blank": "The image is blank or almost blank: there is nothing to judge.",
    "noise": "The image is pure noise: there is nothing to judge.",
    "document": "The image is a page of text or a scan of one, which the detectors cannot judge.",
    "graphic": "The image is a drawn graphic (icon, logo, screenshot, line drawing), which the detectors cannot judge.",
}
Tree = float | Sequence["int | float | Tree"]


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees: the numbers they ask for, and what the sum of their answers is compared with.

    A tree is a leaf, or (number, limit, tree where the number is below the limit, tree where it is not).
    """

    numbers: tuple[str, ...]
    base: float
    threshold: float
    trees: tuple[Tree, ...]

    def log_odds(self, values: Mapping[str, float]) -> float:
        """Log-odds that the image was drawn."""
        asked = [values[name] for name in self.numbers]
        return self.base + sum(_answer(tree, asked) for tree in self.trees)

    def holds_back(self, values: Mapping[str, float]) -> bool:
        """Whether the image counts as drawn."""
        return self.log_odds(values) > self.threshold


def not_judged(pixels: Pixels) -> NotJudged | None:
    """Why an image gets no probability; None where it may have one."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    if side < LEAST_SIDE:
        return NotJudged(
            "too_small",
            f"The image is {width} x {height} px: below {LEAST_SIDE} px on the smaller side the detectors have "
            "nothing to go by.",
        )
    reason = reason_of(picture_numbers(pixels))
    return None if reason is None else NotJudged(reason, _SENTENCES[reason])


def reason_of(values: Mapping[str, float], *, drawn: bool | None = None) -> NotJudgedReason | None:
    """Why an image of these `picture_numbers` gets no probability; None where it may have one.

    Whether it was drawn is asked of the trees that ship, unless `drawn` says so.
    """
    if _is_blank(values):
        return "blank"
    if _is_noise(values):
        return "noise"
    if not (drawn_trees().holds_back(values) if drawn is None else drawn):
        return None
    return "document" if _is_document(values) else "graphic"


def _is_blank(values: Mapping[str, float]) -> bool:
    if values["mode"] >= BLANK_MODE and values["flat8"] >= BLANK_FLAT:
        return True
    return values["spread"] < BLANK_SPREAD and values["flat8"] >= BLANK_FLAT


def _is_noise(values: Mapping[str, float]) -> bool:
    evenness = values["deviation75"] - values["deviation25"]
    return (
        abs(values["next_pixel"]) < NOISE_CORRELATION and values["spread"] > NOISE_SPREAD and evenness < NOISE_EVENNESS
    )


def _is_document(values: Mapping[str, float]) -> bool:
    return values["mode_at"] >= DOCUMENT_GROUND and values["saturation"] <= DOCUMENT_SATURATION


@cache
def drawn_trees() -> Trees:
    """The trees that ship with this release."""
    content = json.loads(TREES.read_text(encoding="ascii"))
    return Trees(tuple(content["numbers"]), content["base"], content["threshold"], tuple(content["trees"]))


def _answer(tree: Tree, asked: Sequence[float]) -> float:
    while not isinstance(tree, (int, float)):
        number, limit, below, above = tree
        assert isinstance(number, int)
        assert isinstance(limit, (int, float))
        tree = below if asked[number] < limit else above
    return tree
