"""The table of small networks: held-out sources by the member that did not learn from them, test by all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks import small_networks
from benchmarks.small_networks import app
from img_ml.engine.held_out import source_mark
from tests.img_ml.tiny import write_crop_network


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    write_crop_network(tmp_path, {source_mark(f"s{k}"): k % 2 for k in range(4)})
    return tmp_path / "crop_network" / "crop_network.onnx"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    random, lines = np.random.default_rng(0), ["filepath,label,split,source"]
    for number in range(24):
        source, label = number // 2 % 6, number % 2
        pixels = random.integers(0, 256 if label else 40, (70, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{label},{'test' if source > 3 else 'train'},s{source}")
    (tmp_path / "dataset.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "dataset.csv"


def test_each_network_has_a_row_with_intervals(graph: Path, dataset: Path) -> None:
    done = CliRunner().invoke(app, ["--dataset", str(dataset), f"one={graph}", f"two={graph}"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| one", "| two"]
    assert lines[2].removeprefix("| one") == lines[3].removeprefix("| two")
    # None of the sources holds enough images of both classes to be measured by itself.
    assert (lines[2].count("["), lines[2].count("not measured")) == (3, 2)


def test_a_dataset_without_a_test_split_is_compared_too(graph: Path, dataset: Path) -> None:
    dataset.write_text(dataset.read_text(encoding="utf-8").replace(",test,", ",val,"), encoding="utf-8")
    done = CliRunner().invoke(app, ["--dataset", str(dataset), f"one={graph}"])
    assert done.exit_code == 0, done.output
    assert (done.stdout.count("["), done.stdout.count("not measured")) == (1, 4)


def test_a_held_out_source_is_scored_by_its_own_member(graph: Path, dataset: Path) -> None:
    network = small_networks._network(f"one={graph}")
    rows = small_networks._drawn(small_networks.read_datasets([dataset]), 100, 0)
    for row, sample in small_networks._samples(rows):
        (found,) = network.detector([sample])
        logits = found.embedding  # type: ignore[union-attr]
        assert logits is not None
        expected = logits.mean() if row.split == "test" else logits[int(row.source[1:]) % 2]
        assert network.score(row, sample) == pytest.approx(expected)
        unknown = replace(row, source="of nobody's", split="train")
        assert network.score(unknown, sample) == pytest.approx(logits.mean())


def test_a_graph_that_is_not_there_is_told(dataset: Path) -> None:
    done = CliRunner().invoke(app, ["--dataset", str(dataset), "one=nowhere.onnx"])
    assert done.exit_code == 2
    assert "nowhere.onnx" in done.output


@pytest.mark.parametrize("content", ["x", "{}", "[]"])
def test_a_graph_without_what_was_held_out_is_told(graph: Path, dataset: Path, content: str) -> None:
    graph.with_name("config.json").write_text(content, encoding="utf-8")
    done = CliRunner().invoke(app, ["--dataset", str(dataset), f"one={graph}"])
    assert done.exit_code == 2
    assert "says not what was held out" in done.output.replace("\n", " ")
