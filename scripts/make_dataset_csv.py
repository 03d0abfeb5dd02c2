"""Make a dataset.csv from folders of labelled images: `python -m scripts.make_dataset_csv ROOT --out dataset.csv`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import SPLITS
from scripts.dataset.building import COLUMNS, Built, Labelled, build
from scripts.dataset.tables import filepath_from, write_table

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def make_dataset_csv(
    roots: Annotated[
        list[Path],
        typer.Argument(metavar="ROOT", help="Folders that hold labelled images; the current one by default."),
    ] = [Path()],  # noqa: B006 - typer copies it
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("dataset.csv"),
    label_map: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER=0|1", help="Label of the folders of that name; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    val: Annotated[float, typer.Option(min=0, max=0.5, help="Share of val where no folder says the split.")] = 0.15,
    test: Annotated[float, typer.Option(min=0, max=0.4, help="Share of test where no folder says the split.")] = 0.15,
) -> None:
    """Label, split and describe the images below folders, by the names of the folders.

    Images that look alike or share a source stay in one split. Existing train, val and test folders are kept.

    Exit codes: 0 written, 2 nothing to write (the reason is told).
    """
    talk = talk_console()
    labels = dict(_parsed(text) for text in label_map or [])
    with told_errors(talk):
        built = build(roots, labels, {"val": val, "test": test}, seed)
        write_table(out, COLUMNS, [_record(image, out.parent) for image in built.images])
    for note in built.notes:
        talk.print(f"Note: {note}")
    talk.print(f"Wrote {out}: {len(built.images)} images.")
    _show(built)


def _parsed(text: str) -> tuple[str, int]:
    folder, _, label = text.rpartition("=")
    if not folder or label not in ("0", "1"):
        raise typer.BadParameter(f"{text!r} is not FOLDER=0 (not AI) or FOLDER=1 (AI).", param_hint="--label-map")
    return folder.lower(), int(label)


def _record(image: Labelled, folder: Path) -> dict[str, object]:
    facts = image.facts
    return {
        "filepath": filepath_from(folder, facts.path),
        "label": image.label,
        "split": image.split,
        "generator": image.generator,
        "source": image.source,
        "sha256": facts.sha256,
        "width": facts.width,
        "height": facts.height,
        "format": facts.format,
    }


def _show(built: Built) -> None:
    table = Table("Split")
    for heading in ("real (0)", "AI (1)", "Sources", "Generators"):
        table.add_column(heading, justify="right")
    for split in (*SPLITS, "all"):
        some = [image for image in built.images if split in (image.split, "all")]
        generators = {image.generator for image in some} - {""}
        ai = sum(image.label for image in some)
        counts = (len(some) - ai, ai, len({image.source for image in some}), len(generators))
        table.add_row(split, *map(str, counts), style="bold" if split == "all" else None)
    data_console().print(table)


if __name__ == "__main__":
    run_command(app)
