"""The evaluation command: tables, JSON and a page, from one artifact or several side by side."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from fusion import evaluate as module
from fusion.artifacts.artifact import LEARNED_DIGITS, load_artifact
from fusion.artifacts.weights_binding import share_weights
from fusion.evaluate import app
from fusion.evaluation import tables
from fusion.evaluation.conditions import AS_IS, CONDITIONS
from fusion.evaluation.metrics import Estimate
from img_ml.data.bootstrap import Interval
from img_ml.settings import PACKAGED_MODELS
from tests.img_ml.tiny import TINY


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def report(
    artifact: Path, logistic: Path, network: Path, dataset: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result]:
    """Where the report of three artifacts is, and what the command said."""
    out = tmp_path_factory.mktemp("report")
    return out, run(artifact, logistic, network, dataset, "--out", out, "--cache", cache)


@pytest.fixture(scope="module")
def content(report: tuple[Path, Result]) -> list[dict[str, dict[str, dict[str, float]]]]:
    text = (report[0] / "report.json").read_text()
    artifacts: list[dict[str, dict[str, dict[str, float]]]]
    artifacts = json.loads(text, parse_constant=lambda name: pytest.fail(name))["artifacts"]
    return artifacts


def test_three_artifacts_stand_in_one_table(report: tuple[Path, Result], artifact: Path, logistic: Path) -> None:
    result = report[1]
    assert result.exit_code == 0, result.output
    header = next(line for line in result.stdout.splitlines() if load_artifact(artifact).fingerprint in line)
    assert load_artifact(logistic).fingerprint in header
    row = next(line for line in result.stdout.splitlines() if line.startswith("│ AUC"))
    assert len(re.findall(r"\d\.\d{3} \(\d\.\d{3}-\d\.\d{3}\)", row)) == 3


def test_the_test_numbers_are_those_that_training_wrote(content: list, artifact: Path) -> None:
    trained = json.loads((artifact / "metrics.json").read_text())["test"]
    assert content[0]["measures"] == trained


def test_every_measure_has_both_intervals(content: list) -> None:
    for estimate in content[0]["measures"].values():
        assert set(estimate) == {"value", "sources", "images"}
    assert content[0]["measures"]["AUC"]["value"] > 0.9


def test_every_condition_is_measured_on_every_image(content: list) -> None:
    found = {condition["name"]: condition for condition in content[0]["conditions"]}
    assert set(found) == set(CONDITIONS) - {AS_IS}
    assert {condition["images"] for condition in found.values()} == {24}
    assert found["metadata stripped"]["moved"] == 0
    # The two classes differ by grain: blur takes it away, so this artifact must notice.
    assert found["blur 1 px"]["moved"] > found["JPEG 95"]["moved"]


def test_groups_and_the_abstention_curve_are_there(content: list) -> None:
    assert [group["name"] for group in content[0]["sources"]] == ["s0-0", "s0-1"]
    assert [group["name"] for group in content[0]["formats"]] == ["PNG"]
    assert [point["coverage"] for point in content[0]["abstention"]][-1] == 1.0


def test_the_page_stands_alone(report: tuple[Path, Result]) -> None:
    page = (report[0] / "report.html").read_text()
    assert page.count("<svg") == 11
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="http', page)
    titles = ("ROC", "Precision and recall", "Reliability", "AUC under changes", "What is called what", "worst errors")
    for title in titles:
        assert title in page


def test_two_artifacts_are_compared_on_the_same_images_and_each_image_has_its_scores(
    report: tuple[Path, Result], artifact: Path, logistic: Path
) -> None:
    content = json.loads((report[0] / "report.json").read_text())
    assert [(one["first"], one["second"]) for one in content["comparisons"]] == [
        (artifact.name, logistic.name), (artifact.name, "network"),
    ]  # fmt: skip
    header, *lines = (report[0] / "scores.csv").read_text().splitlines()
    assert len(lines) == 24
    assert f"{artifact.name}_prob" in header
    assert (report[0] / "scores.parquet").is_file()


def test_a_second_evaluation_measures_no_image_again(
    artifact: Path, dataset: Path, cache: Path, tmp_path: Path, report: tuple[Path, Result]
) -> None:
    result = run(artifact, dataset, "--out", tmp_path / "r", "--cache", cache)
    assert ", 0 to measure" in result.stderr
    assert (tmp_path / "r" / "report.html").is_file()


@pytest.mark.parametrize(("split", "told"), [("exam", "There is no split 'exam'"), ("val", None), ("all", None)])
def test_any_split_can_be_measured_and_an_unknown_one_is_refused(
    artifact: Path, dataset: Path, cache: Path, tmp_path: Path, split: str, told: str | None
) -> None:
    result = run(artifact, dataset, "--split", split, "--out", tmp_path, "--cache", cache)
    assert result.exit_code == (2 if told else 0)
    assert told is None or told in result.stderr


def test_images_that_were_learned_from_are_told(artifact: Path, dataset: Path, cache: Path, tmp_path: Path) -> None:
    result = run(artifact, dataset, "--split", "all", "--out", tmp_path, "--cache", cache)
    assert "learned from 120 of the 144 images" in " ".join(result.stderr.split())
    assert "learned from 120 of the 144 images" in (tmp_path / "report.html").read_text()
    assert "learned from" not in run(artifact, dataset, "--out", tmp_path, "--cache", cache).stderr


def test_images_that_a_network_below_learned_from_are_told_whatever_artifact_is_named(
    artifact: Path, dataset: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = dataset.read_text().splitlines()
    test = [dataset.parent / line.partition(",")[0] for line in lines if ",test," in line][:5]
    learned = frozenset(hashlib.sha256(path.read_bytes()).hexdigest()[:LEARNED_DIGITS] for path in test)
    load = module.load_artifact
    packaged = replace(load(PACKAGED_MODELS / "light"), learned=learned)
    assert share_weights(packaged.weights, load(artifact).weights)
    monkeypatch.setattr(
        module, "load_artifact", lambda path: packaged if path.parent == PACKAGED_MODELS else load(path)
    )
    result = run(artifact, dataset, "--out", tmp_path, "--cache", cache)
    assert "A network that it weighs learned from 5 of the 24 images" in " ".join(result.stderr.split())


def test_what_has_no_interval_is_told_without_one() -> None:
    nothing = Interval(float("nan"), float("nan"))
    assert tables.told(Estimate(0.5, nothing, nothing)) == "0.500"


def test_bad_input_ends_in_a_sentence(artifact: Path, dataset: Path, tmp_path: Path) -> None:
    for arguments, told in (
        ([dataset], "at least one artifact"),
        ([tmp_path, dataset], "There is no fusion model"),
        ([artifact, tmp_path / "none.csv"], "There is no"),
        ([dataset, artifact], "name the artifacts first, the CSV last"),
        ([artifact, artifact], "name the artifacts first, the dataset's CSV last"),
    ):
        result = run(*arguments, "--out", tmp_path / "r")
        assert (result.exit_code, told in result.stderr) == (2, True), result.output
    assert not (tmp_path / "r").exists()


def test_one_class_cannot_be_measured(artifact: Path, dataset: Path, tmp_path: Path) -> None:
    lines = [line for line in dataset.read_text().splitlines() if ",1,test" not in line]
    path = dataset.parent / "one-class.csv"
    path.write_text("\n".join(lines))
    result = run(artifact, path, "--out", tmp_path / "r")
    assert result.exit_code == 2
    assert "images of both classes" in result.stderr


def test_a_trained_network_stands_beside_the_fusion(
    artifact: Path, dataset: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    arguments = (artifact, dataset, "--cache", cache, "--out", tmp_path / "out", "--with", "resnet_hf")
    untrained = run(*arguments)
    assert untrained.exit_code == 2
    assert "resnet_hf cannot be measured" in untrained.output
    assert "python -m img_ml.train resnet_hf" in untrained.output.replace("\n", " ")
    TINY["resnet_hf"](tmp_path / "weights")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if re.match(rf"│ ({artifact.name}|resnet_hf_prob) ", line)]
    assert [len(re.findall(r"\d\.\d{3} \(\d\.\d{3}-\d\.\d{3}\)", row)) for row in rows] == [
        2,
        2,
    ]  # one source holds both classes: the AUC inside it has no interval
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    (row,) = content["detectors"]
    assert (row["name"], row["images"]) == ("resnet_hf_prob", 24)
    fused = content["artifacts"][0]
    assert fused["alone"][0]["auc"]["value"] == fused["measures"]["AUC"]["value"]
    assert "resnet_hf_prob" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(("name", "told"), [("ela", "gives no probability of AI"), ("resnet_hg", "Did you mean")])
def test_what_cannot_stand_alone_is_told(
    artifact: Path, dataset: Path, cache: Path, tmp_path: Path, name: str, told: str
) -> None:
    result = run(artifact, dataset, "--cache", cache, "--out", tmp_path / "out", "--with", name)
    assert result.exit_code == 2
    assert told in result.output


def test_names_are_no_markup_and_no_formulas(artifact: Path, dataset: Path, cache: Path, tmp_path: Path) -> None:
    hostile = "x[/b] $\\frac$ \x1b[31m"
    folder = tmp_path / hostile
    shutil.copytree(artifact, folder)
    lines = dataset.read_text().splitlines()
    rows = [f"{dataset.parent / row}" for row in lines[1:]]
    table = tmp_path / f"{hostile}.csv"
    text = "\n".join([f"{lines[0]},generator", *(row.replace(",s0-", f",{hostile}-") + f",{hostile}" for row in rows)])
    table.write_text(text)
    result = run(folder, table, "--out", tmp_path / hostile, "--cache", cache)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    page = (tmp_path / hostile / "report.html").read_text()
    assert "x[/b] $\\frac$" in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(svg)
