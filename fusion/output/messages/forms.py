"""English sentences in another language: each is found in the catalogue by its form.

A form is a text with places, as in "The server answered {status}.". A place may say what stands in it: `{x!t}` another
text of the catalogue, `{x!s}` one that lacks its full stop, `{x!l}` several with commas between them, `{x!j}` several
with semicolons. What stands in a plain place is kept; a number gets the language's decimal mark.
"""

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NUMBER = re.compile(r"[+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?%?")
_LISTS = {"l": ", ", "j": "; "}


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a form: its name, and what stands in it ("" where that is kept)."""

    name: str
    holds: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form: literal texts, and the places between them; there is one literal more than there are places."""

    literals: tuple[str, ...]
    places: tuple[Place, ...]

    def values(self, text: str) -> dict[str, str] | None:
        """What stands in the places; None where the text has another form.

        Each literal is taken where it first occurs: the time is linear in the text, which may be a stranger's.
        """
        first, *others = self.literals
        if not text.startswith(first):
            return None
        found: dict[str, str] = {}
        at = len(first)
        for number, (place, literal) in enumerate(zip(self.places, others, strict=True), 1):
            last = number == len(self.places)
            end = len(text) - len(literal) if last else text.find(literal, at)
            if end < at or (last and not text.endswith(literal)):
                return None
            found[place.name] = text[at:end]
            at = end + len(literal)
        return found if at == len(text) else None


def form_of(text: str) -> Form:
    """The form that a text of the catalogue has."""
    literals, places = [""], []
    for literal, name, _, holds in string.Formatter().parse(text):
        literals[-1] += literal
        if name is not None:
            places.append(Place(name, holds or ""))
            literals.append("")
    return Form(tuple(literals), tuple(places))


class Retelling:
    """English texts as another language says them."""

    def __init__(self, words: Mapping[str, str], forms: Iterable[tuple[str, str]], marks: str) -> None:
        """`words` are whole texts; `forms` are (English, other); `marks` are the thousands and the decimal mark."""
        self._words = {_key(english): other for english, other in words.items()}
        pairs = [(form_of(english), other) for english, other in forms]
        # The form with the longest literals is the most exact one.
        self._forms = sorted(pairs, key=lambda pair: -sum(map(len, pair[0].literals)))
        self._marks = str.maketrans({",": marks[0], ".": marks[1]})

    def __call__(self, text: str) -> str:
        """The text in the other language; as it is where the catalogue lacks it."""
        found = self.told(text)
        return text if found is None else found

    def told(self, text: str) -> str | None:
        """The text in the other language; None where the catalogue lacks it."""
        word = self._words.get(_key(text))
        if word is not None:
            return word[:1].upper() + word[1:] if text[:1].isupper() else word
        for form, other in self._forms:
            values = form.values(text)
            if values is not None:
                holds = {place.name: place.holds for place in form.places}
                return _filled(other, {name: self._value(value, holds[name]) for name, value in values.items()})
        return None

    def number(self, text: str) -> str:
        """A number with the other language's marks."""
        return text.translate(self._marks)

    def _value(self, value: str, holds: str) -> str:
        if holds in _LISTS:
            return _LISTS[holds].join(map(self, value.split(_LISTS[holds])))
        if holds == "s":
            return self(f"{value}.")
        if holds == "t":
            return self(value) if value else ""
        return self.number(value) if _NUMBER.fullmatch(value) else value


def _key(text: str) -> str:
    return text[:1].lower() + text[1:]


def _filled(other: str, values: Mapping[str, str]) -> str:
    form = form_of(other)
    return form.literals[0] + "".join(
        values[place.name] + literal for place, literal in zip(form.places, form.literals[1:], strict=True)
    )
