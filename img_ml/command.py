"""What the commands share: whatever goes wrong on purpose ends in a sentence and exit code 2, never in a trace."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from forensics.errors import ImgMlError

_ADVICE = {
    errno.ENOSPC: "The disk is full: free some space and run the command again; what was finished is kept.",
    errno.EDQUOT: "The disk quota is used up: free some space and run the command again; what was finished is kept.",
    errno.EACCES: "Permission is denied: choose another place.",
    errno.EROFS: "The place is read-only: choose another one.",
}


def data_console() -> Console:
    """A console on stdout; where that is no terminal, wide enough for every table."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140, highlight=False)


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
