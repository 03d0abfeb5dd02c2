"""The catalogue of what people read about a verdict: one TOML file a language, the same names in each."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "de")
_DEFAULT = "en"


class Messages:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = _texts(language)

    def __call__(self, name: str, **values: object) -> str:
        """The message of that name with its values filled in."""
        return self._texts[name].format(**values)


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
def _texts(language: str) -> dict[str, str]:
    content = tomllib.loads((resources.files(__name__) / f"{language}.toml").read_text(encoding="utf-8"))
    return dict(_flat(content))


def _flat(content: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in content.items():
        found += _flat(value, f"{above}{name}.") if isinstance(value, dict) else [(above + name, value)]
    return found
