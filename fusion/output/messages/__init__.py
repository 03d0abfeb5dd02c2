"""The catalogue of what people read about a verdict: one TOML file a language, the same names in each."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from forensics.registry import entries
from fusion.output.messages.forms import Retelling

LANGUAGES = ("en", "de")
# In this language detectors, fusion and worker tell what they found; it stands in their code and declarations.
_DEFAULT = "en"


class Messages:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = _texts(language)

    def __call__(self, name: str, **values: object) -> str:
        """The message of that name with its values filled in."""
        return self._texts[name].format(**values)

    def retold(self, text: str) -> str:
        """What a detector, the fusion or the worker tells in English, in this language; as it is where it is unknown.

        Result documents are in English, whoever reads them.
        """
        return text if self.language == _DEFAULT else retelling(self.language)(text)

    def number(self, value: float, form: str) -> str:
        """The number as `format` writes it, with this language's decimal mark."""
        text = format(value, form)
        return text if self.language == _DEFAULT else retelling(self.language).number(text)


def messages(*wanted: str) -> Messages:
    """The messages of the first known language: each of `wanted` is an Accept-Language header or a locale's name."""
    for told in wanted:
        for language in _preferred(told):
            if language in LANGUAGES:
                return Messages(language)
    return Messages(_DEFAULT)


def _preferred(accepted: str) -> list[str]:
    """Languages of an Accept-Language header or a locale's name, the most wanted first."""
    ranked = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, quality = part.partition(";q=")
        language = name.strip().lower().replace("_", "-").partition("-")[0].partition(".")[0]
        try:
            ranked.append((-float(quality or 1), place, language))
        except ValueError:
            continue
    return [language for _, _, language in sorted(ranked)]


@cache
def retelling(language: str) -> Retelling:
    """How English texts are told in that language: those of the catalogue and of every declared detector."""
    from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

    english, other = _texts(_DEFAULT), _texts(language)
    forms = [(english[name], other[name]) for name in english if name.startswith("told.")]
    return Retelling(_declared(other), forms, other["thousands"] + other["decimal"])


def _declared(texts: dict[str, str]) -> dict[str, str]:
    """What detectors declare about themselves, as those texts say it."""
    words = {name.removeprefix("aspect."): text for name, text in texts.items() if name.startswith("aspect.")}
    for entry in entries():
        spec = entry.spec
        told = {
            f"detector.{spec.name}.title": spec.title,
            f"detector.{spec.name}.looks_at": spec.looks_at,
            **{f"number.{number.name}": number.meaning for number in spec.numbers},
        }
        words |= {english: texts[name] for name, english in told.items() if name in texts}
    return words


@cache
def _texts(language: str) -> dict[str, str]:
    content = tomllib.loads((resources.files(__name__) / f"{language}.toml").read_text(encoding="utf-8"))
    return dict(_flat(content))


def _flat(content: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in content.items():
        found += _flat(value, f"{above}{name}.") if isinstance(value, dict) else [(above + name, value)]
    return found
