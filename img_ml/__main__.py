"""`python -m img_ml detectors`: every registered detector, and whether it can run here."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from forensics.registry import Registered, entries
from forensics.settings import load as load_settings
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.settings import ImgMlSettings
from img_ml.weights.store import state_of
from img_ml.weights.table import of

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
talk = talk_console()


@app.callback()
def main() -> None:
    """The detectors of img_ml."""


@app.command()
def detectors(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")] = False,
) -> None:
    """List every registered detector: profile, version, weights, and what it measures."""
    with told_errors(talk):
        described = [_described(entry) for entry in entries()]
    if as_json:
        sys.stdout.write(json.dumps(described, indent=2) + "\n")
        return
    table = Table()
    # A name that is folded cannot be copied.
    table.add_column("Detector", no_wrap=True)
    for heading in ("Profile", "Version", "Weights", "Numbers", "Looks at"):
        table.add_column(heading)
    for one in described:
        table.add_row(
            one["name"], one["profile"], str(one["version"]), one["weights"], str(len(one["numbers"])), one["looks_at"]
        )
    data_console().print(table)


def _described(entry: Registered) -> dict[str, Any]:
    spec = entry.spec
    return {
        "name": spec.name,
        "title": spec.title,
        "profile": spec.tier,
        "version": spec.version,
        "weights": _weights(entry),
        "looks_at": spec.looks_at,
        "fails_when": spec.fails_when,
        "source": spec.source,
        "numbers": [{"name": n.name, "low": n.low, "high": n.high, "meaning": n.meaning} for n in spec.numbers],
    }


def _weights(entry: Registered) -> str:
    """Which weights of the detector are here, which are not."""
    if entry.load is None:
        return "none needed"
    folder = load_settings(ImgMlSettings).weights_dir
    states = {one: state_of(one, folder) for one in of(entry.spec.name)}
    told = [f"{one.name} {state}" for one, state in states.items() if not (one.optional and state == "missing")]
    return ", ".join(told) or "own files"


if __name__ == "__main__":
    run_command(app)
