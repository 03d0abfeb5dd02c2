"""The map of the packaged network: a generated part among real ones stands out."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.localisation import app


@pytest.mark.shared
def test_a_generated_part_pasted_among_real_ones_stands_out(shared_data: Path) -> None:
    done = CliRunner().invoke(app, [str(shared_data / "corpus" / "dataset.csv"), "--pictures", "40"])
    assert done.exit_code == 0, done.output
    found = re.match(r"40 pictures: AUC (0\.\d+) ", done.stdout)
    assert found is not None
    assert float(found[1]) > 0.65
