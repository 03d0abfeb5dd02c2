"""The help of every command in Markdown, from what their functions declare: docs/commands.md."""

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from scripts.command import places

# Commands that `img-ml` does not have, by the way they are typed.
OTHERS = {
    "python -m img_ml.engine": "img_ml.engine.__main__:app",
    "python -m img_ml.spai": "img_ml.train.spai.command:app",
    "python -m scripts.predict": "scripts.predict:app",
    "python -m scripts.make_reconstructions": "scripts.make_reconstructions:app",
    "python -m scripts.train_light": "scripts.train_light:app",
}


def command_lines() -> Iterator[str]:
    """The page's lines below its heading: a section for each command, a table for its arguments and options."""
    for name, typed, place in (*places(), *((typed, typed, place) for typed, place in OTHERS.items())):
        module, _, attribute = place.partition(":")
        for words, function in _functions(getattr(import_module(module), attribute)):
            if words and name == "img-ml worker":
                # `img-ml status` and `img-ml dlq` are the same.
                continue
            yield from _section(f"{name}{words}", f"{typed}{words}", function)


def _functions(command: Any) -> Iterator[tuple[str, Callable[..., object]]]:
    """Each function that a command runs, with the words that choose it."""
    if not isinstance(command, typer.Typer):
        yield "", command
        return
    alone = len(command.registered_commands) == 1 and not command.registered_groups and not command.registered_callback
    for one in command.registered_commands:
        if one.callback is not None and not one.hidden:
            yield "" if alone else f" {one.name or one.callback.__name__.replace('_', '-')}", one.callback
    for group in command.registered_groups:
        for words, function in _functions(group.typer_instance):
            yield f" {group.name}{words}", function
    if (callback := command.registered_callback) is not None and callback.invoke_without_command:
        assert callback.callback is not None
        yield "", callback.callback


def _section(name: str, typed: str, function: Callable[..., object]) -> Iterator[str]:
    yield from ("", f"## {name}", "")
    if typed != name:
        yield from (f"Also `{typed}`.", "")
    for paragraph in inspect.cleandoc(function.__doc__ or "").split("\n\n"):
        yield from (" ".join(paragraph.split()), "")
    rows = list(_rows(function))
    if rows:
        yield from ("| | default | meaning |", "|---|---|---|", *rows)


def _rows(function: Callable[..., object]) -> Iterator[str]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, info = hints[name], None
        if get_origin(kind) is Annotated:
            kind, info = (
                get_args(kind)[0],
                next((one for one in get_args(kind)[1:] if isinstance(one, OptionInfo | ArgumentInfo)), None),
            )
        if info is None or info.hidden:
            continue
        cells = (f"`{_spelled(name, kind, info)}`", _default(parameter.default), " ".join((info.help or "").split()))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _spelled(name: str, kind: Any, info: OptionInfo | ArgumentInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return info.metavar or name.upper()
    # In an annotation typer keeps the first name in the place of the default.
    declared = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)]
    plain = name.replace("_", "-")
    names = ", ".join(declared) or f"--{plain}"
    if bool in (kind, *get_args(kind)):
        return names if declared else f"{names} / --no-{plain}"
    return f"{names} {info.metavar or _value(kind)}"


def _value(kind: Any) -> str:
    """What a value of that type is called."""
    inner = [one for one in get_args(kind) if one is not NoneType]
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    if isinstance(kind, UnionType) or get_origin(kind) is list:
        return _value(inner[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(one.value) for one in kind)
    return {int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    if value is None or value is False or value in ((), []):
        return ""
    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return "on" if value is True else f"`{value.value if isinstance(value, Enum) else value}`"
