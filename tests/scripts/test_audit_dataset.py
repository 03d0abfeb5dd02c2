"""The audit finds what gives labels away without the pixels, and finds nothing where there is nothing."""

import csv
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from scripts.audit_dataset import app
from scripts.dataset.shortcuts import TRACES
from tests.scripts.pictures import save

Options = dict[str, object]
IMAGES = 40


def run_audit(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write(folder: Path, rows: Iterable[tuple[str, int, str]]) -> Path:
    path = folder / "dataset.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("filepath", "label", "source", "split"))
        writer.writerows((*row, "train") for row in rows)
    return path


def dataset(folder: Path, name: Callable[[int, int], str], options: Callable[[int, int], Options]) -> Path:
    """IMAGES images of each label from eight sources each, with the name and the options of (label, index)."""
    rows = []
    for label in (0, 1):
        for index in range(IMAGES):
            path = name(label, index)
            save(folder / path, **{"number": label * IMAGES + index, **options(label, index)})
            rows.append((path, label, f"s{label}-{index % 8}"))
    return write(folder, rows)


def findings(path: Path) -> dict[str, dict[str, object]]:
    out = path.with_suffix(".json")
    result = run_audit(path, "--json", out)
    assert result.exit_code in (0, 1), result.output
    return {finding["trace"]: finding for finding in json.loads(out.read_text())["findings"]}


def highest(finding: dict) -> float:
    return max(finding[name]["value"] for name in ("on_unseen_sources", "on_known_sources") if finding[name])


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AI images are all 512 px PNG, real ones JPEG of various sizes."""
    random = np.random.default_rng(0)
    sides = random.integers(300, 700, (IMAGES, 2)).tolist()

    def options(label: int, index: int) -> Options:
        width, height = (512, 512) if label else sides[index]
        return {"width": width, "height": height}

    folder = tmp_path_factory.mktemp("telling")
    return dataset(folder, lambda label, index: f"{label}-{index}.{'png' if label else 'jpg'}", options)


def test_ai_as_512_px_png_against_jpeg_of_all_sizes_is_caught(telling: Path) -> None:
    found = findings(telling)
    for trace in ("file format", "width and height", "bytes per pixel", "all together"):
        assert found[trace]["on_unseen_sources"]["value"] > 0.95, trace
        assert found[trace]["gives_away"]
    assert found["JPEG quantisation"]["on_unseen_sources"] is None
    assert found["metadata"]["on_unseen_sources"]["value"] == 0.5


def test_a_telling_dataset_is_warned_of_with_what_to_do_and_exit_code_1(telling: Path) -> None:
    result = run_audit(telling)
    told = " ".join(result.stdout.split())
    assert result.exit_code == 1
    assert "file format: AUC 1.00, without a look at the picture. Encode both classes alike" in told
    assert "Crop both classes to the same size" in told
    assert "Strip EXIF" not in told


def test_files_made_alike_pass_with_exit_code_0(tmp_path: Path) -> None:
    path = dataset(tmp_path, lambda label, index: f"{label}-{index}.jpg", lambda _, index: {"number": index})
    result = run_audit(path)
    assert result.exit_code == 0, result.output
    assert "Nothing is above 0.6" in result.stdout


@pytest.mark.parametrize(
    ("trace", "real", "ai"),
    [
        ("JPEG quantisation", {"quality": 90}, {"quality": 80}),
        ("JPEG subsampling", {"quality": 90, "subsampling": 0}, {"quality": 90, "subsampling": 2}),
        ("metadata", {"quality": 90, "comment": b"camera"}, {"quality": 90}),
        ("width and height", {"quality": 90, "width": 100}, {"quality": 90}),
    ],
)
def test_each_trace_is_found_by_itself(tmp_path: Path, trace: str, real: Options, ai: Options) -> None:
    found = findings(dataset(tmp_path, lambda label, index: f"{label}-{index}.jpg", lambda label, _: (real, ai)[label]))
    assert found[trace]["on_unseen_sources"]["value"] > 0.95
    assert found["file format"]["on_unseen_sources"]["value"] == 0.5


def test_a_trace_that_only_tells_known_sources_is_called_so(tmp_path: Path) -> None:
    def options(label: int, index: int) -> Options:
        # Each source has a width of its own, with the labels alternating along it.
        return {"width": 80 + 16 * (index % 8) + 8 * label, "quality": 90}

    result = run_audit(dataset(tmp_path, lambda label, index: f"{label}-{index}.jpg", options))
    assert result.exit_code == 1
    assert "among images of known sources" in " ".join(result.stdout.split())


def test_few_sources_are_measured_by_image_and_told(tmp_path: Path) -> None:
    path = dataset(tmp_path, lambda label, index: f"{label}-{index}.{'png' if label else 'jpg'}", lambda *_: {})
    path.write_text(re.sub(r"s(\d)-\d", r"s\1", path.read_text()))
    result = run_audit(path)
    assert result.exit_code == 1
    assert "fewer than 5 sources of a class" in result.stderr


def test_unreadable_images_are_counted_and_left_aside(telling: Path) -> None:
    path = telling.with_name("with_gone.csv")
    path.write_text(telling.read_text() + "gone.png,1,s,train\n")
    result = run_audit(path)
    assert result.exit_code == 1
    assert "1 rows have no readable image" in result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no"),
        ("filepath,label\na.png,0\n", "lacks the column split"),
        ("filepath,label,split\na.png,fake,train\n", "Write the labels as numbers"),
        ("filepath,label,split\ngone.png,0,train\n", "No image of"),
        ("filepath,label,split\na.png,0,train\n", "needs 10 of each"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(tmp_path: Path, text: str | None, sentence: str) -> None:
    save(tmp_path / "a.png", 1)
    if text is not None:
        (tmp_path / "dataset.csv").write_text(text)
    result = run_audit(tmp_path / "dataset.csv", "--json", tmp_path / "a.json")
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not (tmp_path / "a.json").exists()


@pytest.mark.shared
def test_the_crops_of_the_corpus_give_nothing_away(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit.json"
    assert run_audit(shared_data / "corpus/dataset.csv", "--json", out).exit_code == 0
    found = json.loads(out.read_text())["findings"]
    assert len(found) == len(TRACES) + 1
    assert max(highest(finding) for finding in found) < 0.6


@pytest.mark.shared
def test_the_whole_files_beside_the_corpus_do(shared_data: Path) -> None:
    assert run_audit(shared_data / "originals/originals.csv").exit_code == 1
