"""The list of sources beside a model card."""

from pathlib import Path

import pytest

from fusion.training.sources import read_licences
from img_ml.data.dataset import DatasetError
from tests.fusion.conftest import Train


def test_every_source_is_listed_with_its_images_and_its_licence(train: Train, tmp_path: Path) -> None:
    table = tmp_path / "sources.csv"
    table.write_text("repo,licence\ns1-0,MIT\ns1-0,CC0-1.0\ns1-0,MIT\n", encoding="utf-8")
    page = (train(tmp_path / "made", "--sources", str(table)) / "SOURCES.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line][1:]
    told = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    assert len(told) == len(lines) > 5
    assert told["s1-0"].endswith("| MIT / CC0-1.0 |")
    assert all(line.endswith("| not stated |") for source, line in told.items() if source != "s1-0")


@pytest.mark.parametrize("text", ["repo,count\na,1\n", "repo,licence\na\n"])
def test_a_list_without_licences_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match="columns repo,licence"):
        read_licences(path)
    with pytest.raises(DatasetError, match="columns repo,licence"):
        read_licences(tmp_path / "none.csv")
