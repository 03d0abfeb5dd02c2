"""False accusations: what counts as one, its limit, and the sizes that photographs are judged at."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.false_accusations import LONG_SIDES, SMALLER_SIDES, AccusationCount, _scaled
from forensics.reading.decode import decode
from forensics.types import Evidence
from fusion.verdict import Verdict
from scripts.documents.measured_tables import accusations
from tests.forensics.pictures import sample_of


class Accuser:
    """Calls everything AI that reaches it."""

    analyzers: tuple[str, ...] = ()

    def conclude(self, examined):
        return [self._verdict(one.evidence) for one in examined]

    def _verdict(self, evidence: Evidence) -> Verdict:
        label = "AI" if evidence.not_judged is None else "UNCERTAIN"
        return Verdict(label, "pixels", 0.99, None, (), (), evidence, "p", "f")


def test_what_the_gate_holds_back_is_no_accusation_but_would_have_been_one() -> None:
    tally = AccusationCount("row")
    tally.add(Accuser(), sample_of(np.full((40, 40, 3), 200, np.uint8)))
    tally.add(Accuser(), sample_of(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)))
    assert (tally.images, tally.accused, tally.ungated) == (2, 0, 2)
    assert dict(tally.not_judged) == {"too_small": 1, "noise": 1}


def test_the_limit_of_none_in_a_hundred_is_three_percent() -> None:
    assert AccusationCount("row", images=100).upper == pytest.approx(0.0295, abs=0.0005)
    assert AccusationCount("row", images=3, accused=3).upper == 1


def test_photographs_are_never_scaled_up() -> None:
    long = {side: AccusationCount("") for side in LONG_SIDES}
    smaller = {side: AccusationCount(str(side)) for side in SMALLER_SIDES}
    found = [
        (tally, decode(data))
        for tally, data in _scaled(Image.new("RGB", (400, 250)), AccusationCount("jpeg"), long, smaller)
    ]
    assert max(max(one.width, one.height) for _, one in found) <= 400
    assert {min(one.width, one.height) for tally, one in found if tally.name.isdecimal()} == {
        64,
        96,
        128,
        160,
        192,
        224,
    }


def test_the_table_has_counts_and_reasons() -> None:
    row = {"name": "icons", "images": 9, "accused": 0, "upper": 0.283, "ungated": 4, "not_judged": {"graphic": 9}}
    assert accusations([row])[-1] == "| icons | 9 | 0 | 28.3% | 9 graphic | 4 |"
