"""JSON and TOML of strangers: nesting that would exhaust the stack is one more thing that is wrong with a text."""

import pytest

from forensics.documents import json_of, toml_of

DEEP = 200_000


@pytest.mark.parametrize("text", ["[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP, "nonsense", ""])
def test_json_that_is_none_or_too_deep_is_a_value_error(text):
    with pytest.raises(ValueError):
        json_of(text)


@pytest.mark.parametrize("text", ["a = " + "[" * DEEP, "a = " + "{a=" * DEEP, "nonsense"])
def test_toml_that_is_none_or_too_deep_is_a_value_error(text):
    with pytest.raises(ValueError):
        toml_of(text)


def test_what_is_well_formed_is_read():
    assert json_of(b'{"a": [1, [2]]}') == {"a": [1, [2]]}
    assert toml_of("a = [1, [2]]") == {"a": [1, [2]]}
