"""The command `img-ml`: everything there is to run, each part imported when it is asked for."""

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from forensics.version import version

# Name on the command line: the module and the function or typer app in it, and what it does.
_COMMANDS = {
    "check": ("local_test:main", "Judge images by hand: files, folders, URLs."),
    "serve": ("worker.web.command:serve", "Serve the page and the HTTP API."),
    "keys": ("worker.web.keys_command:app", "Make, list and revoke API keys of the HTTP API."),
    "worker": ("worker.__main__:app", "Judge the images that jobs on a Redis stream name."),
    "push": ("scripts.push:push", "Put images on the job stream and print the verdicts."),
    "status": ("worker.commands.status:status", "How the queue stands and how fast it moves."),
    "dlq": ("worker.commands.dlq:app", "List, retry or drop dead letters."),
    "weights": ("img_ml.weights.__main__:app", "Networks' weights: list, pull, verify."),
    "detectors": ("img_ml.__main__:detectors", "Every detector, and whether it can run here."),
    "train": ("fusion.train_fusion:app", "Train the fusion on your own images."),
    "train-network": ("img_ml.train.__main__:app", "Train one network or head."),
    "evaluate": ("fusion.evaluate:app", "Measure trained artifacts, with intervals."),
    "artifacts": ("fusion.artifacts.__main__:app", "Choose the artifact that a profile answers with."),
    "score": ("scripts.score_dataset:app", "Score many images at once, on Ray."),
    "dataset": ("", "Make, clean and audit a dataset.csv; extract its features."),
}
_DATASET = {
    "make": ("scripts.make_dataset_csv:app", "Make a dataset.csv from folders of labelled images."),
    "clean": ("scripts.clean_dataset:app", "Drop broken files, duplicates and leaks between splits."),
    "audit": ("scripts.audit_dataset:app", "Do the files give the label away?"),
    "features": ("scripts.extract_features:app", "Measure every image once, for training."),
    "gather": ("scripts.gather:app", "Gather a dataset from published sources."),
}


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]):  # answered before anything is imported
        print(f"img-ml {version()}")  # noqa: T201
        return
    app = _group(_COMMANDS, "Says whether an image was made by a machine, and why.", completion=True)
    from img_ml.command import run_command, told_output

    if sys.argv[1:2] in ([], ["-h"], ["--help"]):  # nothing runs that could fail, but for its output
        with told_output():
            app(prog_name="img-ml")
        return
    run_command(app)


def places() -> Iterator[tuple[str, str, str]]:
    """Each command as `img-ml` has it, how else it is typed, and the place of what runs it."""
    for prefix, commands in (("img-ml", _COMMANDS), ("img-ml dataset", _DATASET)):
        for name, (place, _) in commands.items():
            if place:
                yield f"{prefix} {name}", _typed(place) or f"{prefix} {name}", place


def _typed(place: str) -> str:
    """The command line without `img-ml`; empty where there is none."""
    module, _, attribute = place.partition(":")
    package, _, last = module.rpartition(".")
    if not package:
        return f"python {module}.py"
    if package == "worker.commands":
        return f"python -m worker {last}"
    if package == "worker.web":
        return ""
    inner = "" if attribute in ("app", last) else f" {attribute}"
    return f"python -m {package if last == '__main__' else module}{inner}"


def _group(commands: dict[str, tuple[str, str]], told: str, *, completion: bool = False) -> Any:
    """A typer app that imports a command only to run it."""
    import typer
    from typer.core import TyperGroup

    class Group(TyperGroup):
        listing = False

        def list_commands(self, ctx: Any) -> list[str]:
            return list(commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in commands:
                return None
            place, help_text = commands[cmd_name]
            return _stub(cmd_name, help_text) if self.listing else _loaded(place, cmd_name, help_text)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            self.listing = True
            super().format_help(ctx, formatter)

        def shell_complete(self, ctx: Any, incomplete: str) -> Any:
            self.listing = True
            return super().shell_complete(ctx, incomplete)

    app = typer.Typer(
        cls=Group,
        add_completion=completion,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=told + (" `--version` tells the version." if completion else ""),
        rich_markup_mode="markdown",
    )
    app.callback()(_nothing)
    return app


def _nothing() -> None:
    pass


def _stub(name: str, told: str) -> Any:
    """A command that only has a name and a line of help."""
    import typer

    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command(name, help=told)(_nothing)
    return typer.main.get_command(app)


def _loaded(place: str, name: str, told: str) -> Any:
    """The real command; where a library that it needs is not installed, a sentence and exit code 2."""
    import typer

    from img_ml.extras import needed_part

    if not place:
        found: Any = _group(_DATASET, told)
    else:
        module, _, attribute = place.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            sentence = needed_part(error)
            if sentence is None:
                raise
            typed = next((one for one, _, of in places() if of == place), f"img-ml {name}")
            print(f"`{typed}` needs more: {sentence}.", file=sys.stderr)  # noqa: T201
            raise SystemExit(2) from None
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(name)(found)
        found = app
    command = typer.main.get_command(found)
    _reflowed(command)
    return command


def _reflowed(command: Any) -> None:
    """Let help texts flow to the terminal's width instead of breaking where the source does."""
    command.rich_markup_mode = "markdown"
    for one in getattr(command, "commands", {}).values():
        _reflowed(one)


if __name__ == "__main__":
    main()
