"""Names of files, folders and sources are only names: no command crashes on them, and no terminal obeys them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import local_test
from img_ml.command import PlainConsole
from scripts.audit_dataset import app as audit
from scripts.clean_dataset import app as clean
from scripts.make_dataset_csv import app as make

NAME = "x[b][/b]\x1b[31m\u202e\x9b2J $\\frac$"
FORBIDDEN = ("\x1b", "\x9b", "\u202e", "\x07")


def image(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def run(app: object, *arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    for one in FORBIDDEN:
        assert one not in result.output
    assert "x[b][/b]" in result.output
    return result.output


@pytest.mark.parametrize("form", ["--json", "--csv", "--quiet", None])
def test_check(tmp_path, form):
    good, bad = image(tmp_path / f"{NAME}.png", 1), tmp_path / f"{NAME}.jpg"
    bad.write_bytes(b"no image")
    told = run(local_test.app, *([form] if form else []), "--profile", "tiny", good, bad)
    if form == "--json":
        lines = [line for line in told.splitlines() if line.startswith("{")]
        assert [json.loads(line)["image_url"] for line in lines] == [str(good), str(bad)]


def test_the_dataset_commands(tmp_path):
    for seed in range(24):
        image(tmp_path / ("real", "ai")[seed % 2] / f"{NAME}{seed % 4}" / f"{NAME}{seed}.png", seed)
    (tmp_path / "real" / f"{NAME}.png").write_bytes(b"no image")
    table = tmp_path / f"{NAME}.csv"
    run(make, tmp_path / "real", tmp_path / "ai", "--out", table)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert all(NAME in row["filepath"] for row in rows)
    with table.open("a") as file:
        file.write(",".join([f"{NAME}.png", "0", "train"] + [""] * (len(rows[0]) - 3)) + "\n")
    run(clean, table, "--out", tmp_path / f"{NAME}2.csv")
    run(audit, table)


def test_what_a_console_prints_is_as_wide_as_what_is_seen(capsys):
    from rich.table import Table

    table = Table("a", "b", title="[b]x[/b]")
    table.add_row("\x1b\x1b", "[/b]")
    PlainConsole(width=60).print(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "[b]x[/b]"
    assert len({len(line) for line in lines[1:]}) == 1
    assert "│ \\x1b\\x1b │ [/b] │" in lines
