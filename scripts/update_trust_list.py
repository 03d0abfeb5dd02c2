"""Fetch C2PA's official trust lists anew, or take them from files, and write the list that ships with this project.

python -m scripts.update_trust_list
python -m scripts.update_trust_list --signers C2PA-TRUST-LIST.pem --time-stamps C2PA-TSA-TRUST-LIST.pem
"""

import datetime
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from forensics.errors import TrustAnchorsError
from forensics.provenance.trust import OFFICIAL_LIST, checked_anchors
from img_ml.command import run_command

SOURCE = "https://raw.githubusercontent.com/c2pa-org/conformance-public/main/trust-list/"
SIGNERS, TIME_STAMPS = "C2PA-TRUST-LIST.pem", "C2PA-TSA-TRUST-LIST.pem"
MOST_BYTES, TIMEOUT_S = 4 * 2**20, 30
_CERTIFICATE = re.compile(r"(?:^Subject\t(.+)\n)?(-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----)", re.M)


def main(
    signers: Annotated[
        Path | None, typer.Option(help="File with the list of signers; fetched where not given.")
    ] = None,
    time_stamps: Annotated[Path | None, typer.Option(help="File with the list of time stamp authorities.")] = None,
    date: Annotated[str, typer.Option(help="Date to tell beside the list; today's where not given.")] = "",
    output: Annotated[Path, typer.Option(help="Where to write the list.")] = OFFICIAL_LIST,
) -> None:
    """Write C2PA's trust lists as one PEM file that says where it is from."""
    parts = {SIGNERS: _text(signers, SIGNERS), TIME_STAMPS: _text(time_stamps, TIME_STAMPS)}
    for name, text in parts.items():
        try:
            checked_anchors(text)
        except TrustAnchorsError as error:
            _give_up(f"{name} is not a list of certificates: {error}")
    output.write_text(trust_list(parts, date or datetime.datetime.now(datetime.UTC).date().isoformat()), "utf-8")
    typer.echo(f"{output}: {sum(text.count('BEGIN CERTIFICATE') for text in parts.values())} certificates", err=True)


def trust_list(parts: dict[str, str], date: str) -> str:
    """The lists as one text, with their source, date and licence above."""
    head = [
        "# C2PA's official trust lists: certification authorities of signers and of time stamps.",
        f"# Source: {SOURCE}{SIGNERS} and {TIME_STAMPS}, as of {date}.",
        "# Licence: CC BY 4.0, Coalition for Content Provenance and Authenticity. Only comments were changed.",
        "# Refresh with: python -m scripts.update_trust_list",
    ]
    body = [
        f"# {subject or 'no name given'}\n{certificate}"
        for text in parts.values()
        for subject, certificate in _CERTIFICATE.findall(text)
    ]
    return "\n".join([*head, "", *body]) + "\n"


def _text(path: Path | None, name: str) -> str:
    try:
        if path is not None:
            return path.read_text(encoding="utf-8")
        with urllib.request.urlopen(SOURCE + name, timeout=TIMEOUT_S) as answer:  # noqa: S310 - a constant https address
            return str(answer.read(MOST_BYTES).decode("utf-8"))
    except (OSError, UnicodeDecodeError, urllib.error.URLError) as error:
        _give_up(f"{path or SOURCE + name} cannot be read: {error}. Name a file with --signers and --time-stamps.")


def _give_up(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    run_command(main)
