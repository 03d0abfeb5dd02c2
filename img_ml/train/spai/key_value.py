"""`--opt KEY VALUE`: an option of two words that may be repeated, which typer does not have."""

from typing import Any

import typer
from typer.core import TyperCommand

NAME = "--opt"
_BETWEEN = "="


class WithOptions(TyperCommand):
    """A command whose `--opt KEY VALUE` (or `--opt KEY=VALUE`) arrives as one text KEY=VALUE."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words before anything else is read."""
        joined, left = [], list(args)
        while left:
            word = left.pop(0)
            joined.append(word)
            if word == NAME and len(left) > 1 and _BETWEEN not in left[0]:
                joined.append(f"{left.pop(0)}{_BETWEEN}{left.pop(0)}")
        return super().parse_args(ctx, joined)


def pairs(options: list[str] | None) -> list[tuple[str, str]]:
    """Keys and values; BadParameter where one is missing."""
    found = []
    for option in options or []:
        key, between, value = option.partition(_BETWEEN)
        if not key or not between:
            raise typer.BadParameter(f"{option!r} has no value: write {NAME} KEY VALUE.", param_hint=NAME)
        found.append((key, value))
    return found
