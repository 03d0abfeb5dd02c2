"""The report beside a check: one file about all images, which tells no more of a machine than it must."""

from pathlib import Path

import pytest

from forensics.errors import NotAnImageError
from fusion.output.messages import Messages
from fusion.output.result import result_document
from scripts.checking.report import HtmlReport, short_names


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["/home/ada/secret/a.jpg"], ["a.jpg"]),
        (["/x/a/1.jpg", "/x/b/1.jpg", "/x/b/2.jpg"], ["a/1.jpg", "b/1.jpg", "2.jpg"]),
        (["a.jpg", "a.jpg"], ["a.jpg", "a.jpg"]),
        (["https://e.com/x/a.jpg"], ["https://e.com/x/a.jpg"]),
        (["standard input"], ["standard input"]),
    ],
)
def test_names_are_as_short_as_they_can_be_told_apart(names: list[str], short: list[str]) -> None:
    assert short_names(names) == short


def test_the_report_names_files_without_their_folders(tmp_path: Path) -> None:
    report = HtmlReport(tmp_path / "report.html", Messages("en"))
    report.add(result_document(NotAnImageError("No image."), image_url="/home/grace/<b>.jpg"))
    report.write()
    written = report.path.read_text("utf-8")
    assert "&lt;b&gt;.jpg" in written
    assert "grace" not in written
