"""Our networks give what their authors' code gave, on equal weights and equal images."""

import json
from collections.abc import Iterator

import pytest
import torch

from benchmarks.authors import rule
from benchmarks.authors.compare import Fixture, differences, fixtures
from benchmarks.authors.ours import SYSTEMS, Case
from benchmarks.support.result_file import RESULTS
from scripts.documents.authors_table import tolerance

ALL = list(fixtures())
CASES = [
    pytest.param(
        fixture.system,
        case,
        id=f"{fixture.system}, {case['name']}",
        marks=[pytest.mark.slow, pytest.mark.timeout(900)] if case["slow"] else [],
    )
    for fixture in ALL
    for case in fixture.cases
]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.mark.parametrize(("system", "case"), CASES)
def test_the_authors_figures_are_ours(system: str, case: Case) -> None:
    for part, largest in differences(system, case).items():
        assert largest <= (tolerance(system) if part == "from_bytes" else 1e-4), part


def test_every_system_has_a_fixture_that_says_whose_code_made_it() -> None:
    assert {fixture.system for fixture in ALL} == set(SYSTEMS)
    for fixture in ALL:
        assert fixture.about["repository"].startswith("https://github.com/")
        assert len(fixture.about["commit"]) == 40
        assert {"torch", "numpy"} <= fixture.about["libraries"].keys()


@pytest.mark.parametrize("fixture", ALL, ids=[fixture.system for fixture in ALL])
def test_the_document_tells_of_every_case(fixture: Fixture) -> None:
    told = json.loads((RESULTS / "authors.json").read_text())[fixture.system]
    assert told["commit"] == fixture.about["commit"]
    assert told["cases"] == [case["name"] for case in fixture.cases]
    assert max(told["from_tensors"], told.get("from_bytes", 0)) <= tolerance(fixture.system)


def test_a_network_of_other_arithmetic_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    (spai,) = (fixture for fixture in ALL if fixture.system == "spai")
    # The activations that were once missing.
    monkeypatch.setattr("torch.nn.GELU.forward", lambda _self, values: values)
    assert differences("spai", spai.cases[0])["from_bytes"] > 1e-3


def test_the_rule_is_what_it_was_when_the_fixtures_were_made() -> None:
    assert rule.tensor(19, "a.weight", (2, 3)).flatten().tolist() == pytest.approx(
        [0.022565, -0.661336, 0.230688, 0.636331, 0.921358, -0.010739], abs=1e-6
    )
    assert rule.picture(19, 4)[60, 45].tolist() == [77, 197, 146]
