"""The map of the packaged network: a generated part among real ones stands out."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.localisation import COLUMNS, LINES, SIDE, app, auc_of_places


def test_the_places_of_the_part_are_told_from_the_others_wherever_it_lies() -> None:
    rows, columns = LINES * SIDE // 16, COLUMNS * SIDE // 16
    heatmap = np.zeros((rows, columns), dtype=np.float32)
    heatmap[3:17, 20:34] = 1
    assert auc_of_places(heatmap, (48, 320)) == 1
    assert auc_of_places(1 - heatmap, (48, 320)) == 0
    assert 0.5 < auc_of_places(heatmap, (160, 320)) < 1
    assert auc_of_places(np.zeros_like(heatmap), (48, 320)) == 0.5


@pytest.mark.shared
def test_a_generated_part_pasted_among_real_ones_stands_out(shared_data: Path) -> None:
    done = CliRunner().invoke(app, [str(shared_data / "corpus" / "dataset.csv"), "--pictures", "40"])
    assert done.exit_code == 0, done.output
    found = re.match(r"40 pictures: AUC (0\.\d+) ", done.stdout)
    assert found is not None
    assert float(found[1]) > 0.65
