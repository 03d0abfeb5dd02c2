"""What the commands share: settings are checked first, and every error ends in a sentence and an exit code.

0 done, 1 flagged or a failed check, 2 the call, a setting or the input is wrong, 3 incomplete, 70 a fault of this
program, whose trace `--debug` shows.
"""

import errno
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from forensics.errors import ImgMlError
from forensics.printable import printable
from img_ml.extras import needed_part

INTERNAL = 70
DEBUG = "--debug"
_HELP = {"--help", "-h"}
# The text of a foreign error may be a page.
_MOST_TOLD = 300
_ADVICE = {
    errno.ENOSPC: "The disk is full: free some space and run the command again; what was finished is kept.",
    errno.EDQUOT: "The disk quota is used up: free some space and run the command again; what was finished is kept.",
    errno.EACCES: "Permission is denied: choose another place.",
    errno.EROFS: "The place is read-only: choose another one.",
}

# Of a stream, and so without a file's name.
_OUTPUT = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the device reports an error",
    errno.EPIPE: "its reader is gone",
}


class PlainConsole(Console):
    """A console for text that strangers had a hand in: brackets are no markup, and control characters are escaped."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, escaped before its width is measured."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What rich makes of it, but for control characters in its texts."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def data_console() -> PlainConsole:
    """A console on stdout; where that is no terminal, wide enough for every table."""
    return PlainConsole(file=sys.stdout, width=None if sys.stdout.isatty() else 140)


def talk_console() -> PlainConsole:
    """A console on stderr, whose sentences are not broken into lines."""
    return PlainConsole(stderr=True, soft_wrap=True)


def run_command(app: typer.Typer | Callable[..., object]) -> None:
    """Run a command as this process, which ends with its exit code; a function is a command of its own."""
    # Imported late, so that --help answers at once.
    from forensics.settings import load
    from img_ml.settings import ImgMlSettings

    debug = DEBUG in sys.argv[1:]
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != DEBUG]
    for stream in (sys.stdout, sys.stderr):
        # A pipe in an old code page cannot take every letter; an escape is better than an end.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        if not _HELP & set(sys.argv[1:]):
            load(ImgMlSettings)
        with told_output():
            _with_short_help(app)()
    except ImgMlError as error:
        sys.stderr.write(printable(f"Error: {error}\n"))
        raise SystemExit(2) from None
    except SystemExit as end:
        raise SystemExit(_code(end)) from None
    except Exception as error:  # noqa: BLE001 - the boundary: whoever calls a command gets a sentence
        part = needed_part(error) if isinstance(error, ModuleNotFoundError) else None
        if part is not None and not debug:
            sys.stderr.write(f"Error: {part}.\n")
            raise SystemExit(2) from None
        if debug:
            traceback.print_exc()
        else:
            sys.stderr.write(printable(f"{_unexpected(error)}\n"))
        raise SystemExit(INTERNAL) from None


@contextmanager
def told_output() -> Iterator[None]:
    """Tell in a sentence where stdout cannot be written, a full disk for one, and exit with code 3."""
    try:
        try:
            yield
        finally:
            # Here, where it can still be told; at the interpreter's own end it is a trace.
            sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT:
            raise
        _leave_output()
        sys.stderr.write(f"Error: The output cannot be written: {_OUTPUT[error.errno]}.\n")
        raise SystemExit(3) from None


def _leave_output() -> None:
    """Let the interpreter's own flush at the end of the process go nowhere: it would fail again, with a trace."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _with_short_help(app: typer.Typer | Callable[..., object]) -> typer.Typer:
    """The app, or a function as one of a single command, which knows -h like --help."""
    if not isinstance(app, typer.Typer):
        function, app = app, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command()(function)
    settings = {"help_option_names": ["-h", "--help"]}
    app.info.context_settings = settings
    for one in app.registered_commands:
        one.context_settings = {**settings, **(one.context_settings or {})}
    return app


def _code(end: SystemExit) -> int | str | None:
    """The exit code, where typer's own would be mistaken for a flagged image: 1 for closed input or output."""
    if isinstance(end.__context__, typer.Abort):
        return 2
    if end.code == 1 and isinstance(end.__context__, OSError):
        return 3
    return end.code


def _unexpected(error: Exception) -> str:
    told = " ".join(str(error).split())[:_MOST_TOLD]
    told = f" ({told})" if told else ""
    return f"Internal error: {type(error).__name__}{told}. Run the command again with {DEBUG} for the trace."


@contextmanager
def told_errors(talk: Console) -> Iterator[None]:
    """Tell an ImgMlError or an OSError of the block in a sentence on `talk`, and exit with code 2; Ctrl-C with 3."""
    try:
        yield
    except KeyboardInterrupt:
        talk.print("Interrupted. What was finished is kept; the same command goes on from there.")
        raise typer.Exit(3) from None
    except ImgMlError as error:
        _tell(talk, str(error))
        raise typer.Exit(2) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _tell(talk, place + _ADVICE.get(error.errno or 0, f"{error.strerror or error}."))
        raise typer.Exit(2) from None


def _tell(talk: Console, text: str) -> None:
    talk.print(f"Error: {text}", soft_wrap=True, markup=False, highlight=False)
