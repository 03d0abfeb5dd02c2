"""The one loader of settings: every package's settings come from the environment or `.env` through it."""

import difflib
import os
import sys
from typing import ClassVar, TypeVar

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from forensics.errors import SettingsError

ENV_FILE = ".env"
# Variables of the test suite share the prefix but are not settings.
_NOT_SETTINGS = ("IMG_ML_TEST_",)
_NEAR = 0.8
_warned: set[str] = set()


class ProjectSettings(BaseSettings):
    """Base of all settings. `prefixes` are those that only this project uses: an unknown name with one is misspelt,
    unless it is `elsewhere`, among the settings of another class."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True)
    prefixes: ClassVar[tuple[str, ...]] = ()
    elsewhere: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The variables that the settings are read from."""
        return tuple(
            str(field.validation_alias) if field.validation_alias else name.upper()
            for name, field in cls.model_fields.items()
        )


Settings = TypeVar("Settings", bound=ProjectSettings)


def load(kind: type[Settings]) -> Settings:
    """The settings of that kind, with a warning on stderr for each misspelt name; SettingsError where one is wrong."""
    for name, nearest in misspelt(kind):
        if name not in _warned:
            _warned.add(name)
            told = f"did you mean {nearest}?" if nearest else "docs/settings.md lists them all."
            sys.stderr.write(f"Warning: {name} is not a setting: {told}\n")
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(" ".join(_told(problem) for problem in error.errors(include_url=False))) from None


def load_or_exit(kind: type[Settings]) -> Settings:
    """The same for an entry point: invalid settings end in a sentence on stderr and exit code 2."""
    try:
        return load(kind)
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        raise SystemExit(2) from None


def misspelt(kind: type[ProjectSettings]) -> list[tuple[str, str]]:
    """Names in the environment and `.env` that carry a prefix of the kind and are not its settings, each with the
    nearest setting, or with "" where none is near. SettingsError where `.env` is not text."""
    known = (*kind.names(), *kind.elsewhere)
    found = []
    for name in dict.fromkeys(name.upper() for name in (*os.environ, *_in_file())):
        if name in known or not name.startswith(kind.prefixes) or name.startswith(_NOT_SETTINGS):
            continue
        found.append((name, next(iter(difflib.get_close_matches(name, known, 1, _NEAR)), "")))
    return found


def _in_file() -> tuple[str, ...]:
    try:
        return tuple(dotenv_values(ENV_FILE))
    except UnicodeDecodeError:
        raise SettingsError(f"{ENV_FILE} is not UTF-8 text: save it as UTF-8.") from None


def _told(problem: object) -> str:
    """One sentence about one invalid setting; its value stays out of it, which may be a password."""
    assert isinstance(problem, dict)
    name = ".".join(str(part) for part in problem["loc"][:1]).upper()
    return f"The setting {name} is wrong: {problem['msg'].removeprefix('Value error, ')}."
