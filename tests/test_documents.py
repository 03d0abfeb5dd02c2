"""The documents: generated ones are fresh, examples run, links lead somewhere."""

import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from forensics import registry
from forensics.errors import DecodeFailedError
from forensics.examine import run_analyzer
from forensics.judgeable import LEAST_SIDE
from forensics.types import Measured
from fusion.output.result import CONTRACT_NUMBERS, result_document
from scripts.generate_docs import app
from tests.forensics.pictures import photo, sample_of

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_generated_documents_are_fresh() -> None:
    result = CliRunner().invoke(app, ["--check"])
    assert result.exit_code == 0, result.stderr


def test_the_example_detector_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "adding_a_detector.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.S)
    assert code is not None
    package = tmp_path / "example_analyzers"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "symmetry.py").write_text(code.group(1))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    registry.discover("example_analyzers")
    monkeypatch.delitem(sys.modules, "example_analyzers.symmetry")
    signal = run_analyzer(registry.get("symmetry"), sample_of(photo()))
    assert isinstance(signal, Measured)
    assert signal.numbers["symmetry_difference"] > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_setting_named_in_the_docs_exists() -> None:
    known = set(re.findall(r"^# ([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    named = re.compile(
        r"\b((?:WORKER|FETCH|FUSION|EMBEDDED|C2PA)_[A-Z_]+|REDIS_(?:URL|CHECK_RATE)|IMG_ML_(?!TEST)[A-Z_]+)\b"
    )
    for page in PAGES:
        assert set(named.findall(page.read_text())) <= known, page


def test_an_error_document_follows_the_schema_and_names_every_contract_number() -> None:
    schema = json.loads((ROOT / "docs" / "schema" / "verdict.schema.json").read_text())
    document = result_document(DecodeFailedError("It is broken."), job_id="j", image_url="u")
    jsonschema.validate(document, schema)
    assert document["error"] == {"code": "decode_failed", "message": "It is broken.", "retryable": False}
    assert all(document[name] is None for name in CONTRACT_NUMBERS)
    document["label"] = "MAYBE"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_every_place_that_contributing_names_exists() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| to change | open |")[2]
    named = re.findall(r"`((?:worker|forensics|img_ml|fusion)/[a-z_/.]+)`", table.partition("\n\n")[0])
    assert len(named) > 10
    assert [place for place in named if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda page: page.stem[:4])
def test_a_decision_says_its_status_its_context_and_what_else_was_possible(page: Path) -> None:
    text = page.read_text()
    assert re.search(r"^Status: (accepted|superseded)\b.*\d{4}-\d{2}-\d{2}", text, re.M)
    for part in ("Context", "Decision", "Alternatives"):
        assert text.count(f"**{part}.**") == 1, part


def test_the_wire_format_names_the_least_side_that_is_judged() -> None:
    text = (ROOT / "docs" / "wire_format.md").read_text()
    assert f"| `too_small` | the smaller side is below {LEAST_SIDE} px |" in text
