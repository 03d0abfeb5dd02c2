"""Strangers' text on a terminal: nothing in it is obeyed, and nothing of it is lost."""

import json

from forensics.printable import on_one_line, printable, printable_json

HOSTILE = "a\x1b]0;x\x07\x9b2J\u202eb\r\udcff\n\u2028"


def test_what_a_terminal_would_obey_is_written_as_an_escape():
    assert printable(HOSTILE) == "a\\x1b]0;x\\x07\\x9b2J\\u202eb\\r\\udcff\n\\u2028"
    assert on_one_line("a\nb") == "a\\nb"
    assert on_one_line(HOSTILE).isprintable()


def test_letters_of_any_language_stay():
    for text in ("Größe", "写真", "צילום", "été\N{NO-BREAK SPACE}: 5\N{NARROW NO-BREAK SPACE}%", "🙂"):
        assert printable(text) == text


def test_json_means_the_same():
    text = printable_json(json.dumps({"name": HOSTILE}, ensure_ascii=False))
    assert json.loads(text) == {"name": HOSTILE}
    assert not any(one in text for one in "\x1b\x9b\u202e\u2028")
