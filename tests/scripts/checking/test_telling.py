"""Rows of a table for spreadsheets: no text in them is a formula."""

import pytest

from scripts.checking.telling import _cell


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_begins_a_formula_is_only_a_text(text: str) -> None:
    written = text.replace("\t", "\\t").replace("\r", "\\r")
    assert _cell(text) == f"'{written}"


@pytest.mark.parametrize("value", ["photo.jpg", "a=b", "", -0.5, None, 3])
def test_anything_else_stays_as_it_is(value: object) -> None:
    assert _cell(value) == value
