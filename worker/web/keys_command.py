"""`img-ml keys make | list | revoke`: who may use the HTTP API."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from img_ml.command import talk_console
from worker.settings import WorkerSettings, load
from worker.web.keys import Keys

T = TypeVar("T")
app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="API keys of the gateway; only their hashes are kept.",
)


@app.command("make")
def make(name: Annotated[str, typer.Argument(help="Who the key is for.")]) -> None:
    """Make a key and print it; it cannot be shown again."""
    print(_asked(lambda keys: keys.make(name)))  # noqa: T201 - stdout is data


@app.command("list")
def listed() -> None:
    """List the keys by id, without their secrets."""
    from img_ml.command import data_console

    table = Table("id", "for", "made")
    for key in _asked(lambda keys: keys.all()):
        table.add_row(key.key_id, Text(key.name), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(key.made)))
    data_console().print(table)


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` shows.")]) -> None:
    """Revoke a key at once. Exit codes: 0 revoked, 1 there is no such key."""
    if not _asked(lambda keys: keys.revoke(key_id)):
        talk_console().print("There is no key with that id.")
        raise typer.Exit(1)


def _asked(question: Callable[[Keys], Awaitable[T]]) -> T:
    from img_ml.command import told_errors
    from worker.commands.shared import ask

    settings = load(WorkerSettings)
    with told_errors(talk_console()):
        return ask(settings, lambda client: question(Keys(client, settings.job_streams[0])))
