"""docs/commands.md says what the commands themselves take."""

import re
from importlib import import_module
from typing import Any

import typer

from scripts.command import places
from scripts.documents.commands import command_lines


def documented() -> dict[str, set[str]]:
    """The names of options by the command that has them."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in command_lines():
        if line.startswith("## "):
            name = line.removeprefix("## ")
            found[name] = set()
        elif line.startswith("| `-"):
            found[name] |= set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", line.split("`")[1]))
    return found


def taken(name: str, command: Any) -> dict[str, set[str]]:
    """The same by what typer makes of the functions."""
    inner = getattr(command, "commands", {})
    found = {key: names for word, one in inner.items() for key, names in taken(f"{name} {word}", one).items()}
    shown = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    names = {spelled for one in shown for spelled in (*one.opts, *one.secondary_opts)} - {"--help", "-h"}
    return found if inner and name != "img-ml worker" else {name: names}


def test_the_page_names_every_option_of_every_command() -> None:
    told = documented()
    for name, _, place in places():
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command()(found)
            found = app
        for command, names in taken(name, typer.main.get_command(found)).items():
            assert told[command] == names, command
