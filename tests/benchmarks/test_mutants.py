"""The mutation run: its changes by hand fit the code as it stands, and its generated ones change what runs."""

import ast
from pathlib import Path

import pytest

from benchmarks.support.mutants.by_hand import BY_HAND
from benchmarks.support.mutants.trial import TESTS


def test_every_change_by_hand_still_fits_the_code_and_has_tests_that_run_against_it() -> None:
    for mutant in BY_HAND:
        ast.parse(mutant.text)
        assert all(Path(test).is_file() for test in TESTS[mutant.file])


def test_generated_changes_are_of_what_runs_and_follow_from_the_seed() -> None:
    pytest.importorskip("cosmic_ray")
    from benchmarks.support.mutants.generated import generated

    found = generated("forensics/crops.py", 12, seed=1)
    assert found == generated("forensics/crops.py", 12, seed=1)
    assert len({mutant.text for mutant in found}) == 12
    unchanged = ast.dump(ast.parse(Path("forensics/crops.py").read_text(encoding="utf-8")))
    assert all(ast.dump(ast.parse(mutant.text)) != unchanged for mutant in found)
