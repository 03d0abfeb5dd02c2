"""`python -m worker dlq list | show | retry | drop`: what to do with dead letters."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from forensics.documents import json_of
from worker.settings import WorkerSettings, load

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Dead letters: jobs or callbacks that were given up.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SENTENCES = {
    "unknown": "There is no dead letter {id}.",
    "empty": "The dead letter {id} holds no job to put back.",
}

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Dead-letter ids, as `list` shows them.")]
Everything = Annotated[bool, typer.Option("--all", help="All current dead letters, instead of ids.")]
Stream = Annotated[
    str | None,
    typer.Option(metavar="JOBS", help="Job stream; needed where WORKER_STREAM names several."),
]
Callbacks = Annotated[bool, typer.Option("--callbacks", help="Dead-lettered callbacks instead of jobs.")]
Limit = Annotated[int | None, typer.Option(min=1, help="With --all: at most this many, oldest first.")]


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, oldest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per dead letter.")] = False,
    callbacks: Callbacks = False,
    stream: Stream = None,
) -> None:
    """Show dead letters: id, job, reason, deliveries, age.

    Exit codes: 0 shown, 2 usage or no Redis.
    """
    settings = load(WorkerSettings)
    names = _chosen(settings, stream)
    # Imported late, here and below, so that --help answers at once.
    from img_ml.command import data_console, talk_console, told_errors
    from worker.commands.shared import ask
    from worker.streams.dead_letters import DeadLetters, Letter

    async def question(client: Any) -> tuple[list[Letter], int]:
        letters = DeadLetters(client, names, callbacks=callbacks)
        return await letters.first(limit), await letters.count()

    talk = talk_console()
    with told_errors(talk):
        found, count = ask(settings, question)
    if as_json:
        for letter in found:
            print(json.dumps(asdict(letter)))  # noqa: T201 - stdout is data
    else:
        data_console().print(_table(found))
    if count > len(found):
        talk.print(f"Showing {len(found)} of {count} dead letters; raise --limit for more.", highlight=False)


@app.command()
def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of letters, as `list` shows them.")],
    callbacks: Callbacks = False,
    stream: Stream = None,
) -> None:
    """Show letters whole, with the job or callback as it came, as JSON.

    Exit codes: 0 shown, 1 an id is unknown, 2 usage or no Redis.
    """
    settings = load(WorkerSettings)
    names = _chosen(settings, stream)
    from img_ml.command import talk_console, told_errors
    from worker.commands.shared import ask
    from worker.streams.dead_letters import DeadLetters, Letter

    async def question(client: Any) -> list[Letter]:
        return await DeadLetters(client, names, callbacks=callbacks).find(ids)

    talk = talk_console()
    with told_errors(talk):
        found = ask(settings, question)
    for letter in found:
        print(json.dumps(asdict(letter) | {"content": _readable(letter.content)}, indent=2))  # noqa: T201
    unknown = [one for one in dict.fromkeys(ids) if one not in {letter.id for letter in found}]
    for one in unknown:
        talk.print(_SENTENCES["unknown"].format(id=one), markup=False, highlight=False, soft_wrap=True)
    if unknown:
        raise typer.Exit(1)


@app.command()
def retry(
    ids: Ids = None,
    everything: Everything = False,
    limit: Limit = None,
    callbacks: Callbacks = False,
    stream: Stream = None,
) -> None:
    """Put dead letters back on the stream they came from, and print the ids of those that were.

    A letter is put back and removed in one step: repeating the command neither loses nor doubles one.

    Exit codes: 0 all of them, 1 an id is unknown or holds no job, 2 usage or no Redis.
    """
    _settle("retry", ids, everything, limit, callbacks, stream)


@app.command()
def drop(
    ids: Ids = None,
    everything: Everything = False,
    limit: Limit = None,
    callbacks: Callbacks = False,
    stream: Stream = None,
) -> None:
    """Delete dead letters for good, and print the ids of those that were.

    Exit codes: 0 all of them, 1 an id is unknown, 2 usage or no Redis.
    """
    _settle("drop", ids, everything, limit, callbacks, stream)


def _readable(content: Mapping[str, str]) -> dict[str, Any]:
    """The fields, with those that hold a JSON object or list as such."""
    return {name: _parsed(value) for name, value in content.items()}


def _parsed(value: str) -> Any:
    try:
        return json_of(value) if value[:1] in ("{", "[") else value
    except ValueError:
        return value


def _chosen(settings: WorkerSettings, stream: str | None) -> Any:
    """The names of the queue with that job stream; of the only one where none is named."""
    from worker.streams.queues import queues_of

    queues = {names.jobs: names for names in queues_of(settings)}
    if stream is None and len(queues) > 1:
        raise typer.BadParameter(
            f"WORKER_STREAM names several streams: choose one of {', '.join(queues)} with --stream."
        )
    if stream is not None and stream not in queues:
        raise typer.BadParameter(f"{stream} is not in WORKER_STREAM: choose one of {', '.join(queues)}.")
    return queues[stream or settings.job_streams[0]]


def _settle(
    what: Literal["retry", "drop"],
    ids: list[str] | None,
    everything: bool,
    limit: int | None,
    callbacks: bool,
    stream: str | None,
) -> None:
    if bool(ids) == everything:
        raise typer.BadParameter("Give either dead-letter ids or --all.")
    if limit is not None and not everything:
        raise typer.BadParameter("--limit needs --all.")
    settings = load(WorkerSettings)
    names = _chosen(settings, stream)
    from img_ml.command import talk_console, told_errors
    from worker.commands.shared import ask
    from worker.streams.dead_letters import DeadLetters, Fate

    async def question(client: Any) -> dict[str, Fate]:
        letters = DeadLetters(client, names, callbacks=callbacks)
        chosen = await letters.first_ids(limit) if everything else ids or []
        return await (letters.retry(chosen) if what == "retry" else letters.drop(chosen))

    talk = talk_console()
    with told_errors(talk):
        fates = ask(settings, question)
    _tell(fates, talk)


def _table(found: Any) -> Table:
    from worker.commands.shared import duration, without_control_characters

    table = Table("id", "job", "reason", title="Dead letters, oldest first", title_justify="left")
    table.add_column("deliveries", justify="right")
    table.add_column("age", justify="right")
    for letter in found:
        deliveries = "unknown" if letter.deliveries is None else str(letter.deliveries)
        table.add_row(
            Text(letter.id, no_wrap=True),
            Text(without_control_characters(letter.job_id)),
            Text(without_control_characters(letter.reason)),
            deliveries,
            duration(letter.age_s),
        )
    return table


def _tell(fates: Any, talk: Console) -> None:
    failed = False
    for letter_id, fate in fates.items():
        if fate in _SENTENCES:
            failed = True
            talk.print(_SENTENCES[fate].format(id=letter_id), markup=False, highlight=False, soft_wrap=True)
        else:
            print(letter_id)  # noqa: T201 - stdout is data
    done = sum(fate not in _SENTENCES for fate in fates.values())
    talk.print(f"{done} of {len(fates)} dead letters done.", highlight=False)
    raise typer.Exit(1 if failed else 0)
