"""Make aligned fakes of real images: `python -m scripts.make_reconstructions --dataset dataset.csv --out DIR`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from forensics.errors import DatasetError, UsageError
from forensics.files import write_atomically
from forensics.settings import load as load_settings
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import read_rows
from img_ml.settings import ImgMlSettings
from scripts.dataset.reconstruct.draws import Chosen, choose, one_of
from scripts.dataset.tables import filepath_from, write_table

if TYPE_CHECKING:
    from scripts.dataset.reconstruct.reconstructing import Autoencoder, Mixing

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
COLUMNS = (
    *("filepath", "label", "kind", "split", "generator", "source"),
    *("source_image", "source_format", "source_width", "source_height", "reconstructs", "ratio"),
)
# As much of a file's SHA-256 as the column source_image holds.
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Made:
    """The records of the dataset.csv, the dB of what was made now by autoencoder, and why images gave nothing."""

    records: list[dict[str, object]] = field(default_factory=list)
    psnr: dict[str, list[float]] = field(default_factory=dict)
    unfit: dict[str, int] = field(default_factory=dict)


@app.command()
def make_reconstructions(
    dataset: Annotated[list[Path], typer.Option(help="CSV with the columns filepath,label,split; repeatable.")],
    out: Annotated[Path, typer.Option(help="Folder of the fakes; what an interrupted run made there stays.")],
    autoencoder: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of an autoencoder trained here, or of an AutoencoderKL of diffusers; repeatable."),
    ] = None,
    with_weights: Annotated[
        list[str] | None, typer.Option("--with", help="An autoencoder pulled by img_ml.weights, sd-vae-ft-ema.")
    ] = None,
    every: Annotated[bool, typer.Option("--every", help="Each image by every autoencoder, not by one.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Number of images, from all sources; unset: all.")] = None,
    val: Annotated[bool, typer.Option("--val", help="Take the split val too; test is never taken.")] = False,
    human_art: Annotated[bool, typer.Option("--human-art", help="Take the kind human_art too.")] = False,
    least_ratio: Annotated[float, typer.Option(min=0, max=1, help="Minimum share of the reconstruction.")] = 0.5,
    most_ratio: Annotated[float, typer.Option(min=0, max=1, help="Maximum share of the reconstruction.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
) -> None:
    """Pass real images through autoencoders, mix them with the originals, and write them as the originals are.

    They share content, size and encoding with their originals, so that only the traces of a decoder tell them apart.
    Exit codes: 0 written, 2 nothing to write (the reason is told), 3 interrupted (the same command goes on).
    """
    talk = talk_console()
    with told_errors(talk):
        if least_ratio > most_ratio:
            raise UsageError(f"--least-ratio is {least_ratio} and --most-ratio {most_ratio}: swap them.")
        rows = [row for path in dataset for row in read_rows(path)]
        loaded = _loaded(autoencoder or [], with_weights or [])
        from scripts.dataset.reconstruct.reconstructing import Mixing

        chosen = choose(rows, ("train", "val") if val else ("train",), art=human_art, count=count, seed=seed)
        made = _make(chosen, loaded, Mixing(least_ratio, most_ratio, seed), out, every, talk)
        if not made.records:
            raise DatasetError(f"None of {len(chosen)} images gave a fake: {_reasons(made)}.")
        write_atomically(out / "report.json", json.dumps(_report(made, loaded), indent=2) + "\n")
        write_table(out / "dataset.csv", COLUMNS, made.records)
    data_console().print(_table(made))
    if made.unfit:
        talk.print(f"Left out: {_reasons(made)}.")
    talk.print(f"Wrote {out / 'dataset.csv'}: {len(made.records)} fakes of {len(chosen)} images.")


def _loaded(folders: Sequence[Path], records: Sequence[str]) -> "list[Autoencoder]":
    """The autoencoders, on the device of the settings; each has a name of its own."""
    from img_ml.engine.device import choose_device
    from img_ml.weights.store import installed
    from img_ml.weights.table import find
    from scripts.dataset.reconstruct.reconstructing import load_any

    settings = load_settings(ImgMlSettings)
    device = choose_device(settings.device)
    pulled = [installed(find(name), settings.weights_dir).folder for name in records]
    loaded = [load_any(folder, device) for folder in (*folders, *pulled)]
    if not loaded:
        raise UsageError(
            "Name an autoencoder: a folder that python -m img_ml.train upsampling_autoencoder made or that diffusers "
            "saved (--autoencoder DIR), or one that was pulled (--with sd-vae-ft-ema)."
        )
    names = [one.name for one in loaded]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"Two autoencoders are called {twice[0]}: rename the folder of one of them.")
    return loaded


def _make(
    chosen: Sequence[Chosen],
    loaded: "Sequence[Autoencoder]",
    mixing: "Mixing",
    out: Path,
    every: bool,
    talk: Console,
) -> Made:
    """Make the fakes that are not there yet; the records of all."""
    from scripts.dataset.reconstruct.reconstructing import UnfitError, key_of, make_fake, ratio_of, read_original

    made, work = Made(), list(_work(chosen, loaded, mixing.seed, every))
    for image, by in track(work, "Reconstructing", console=talk, disable=not talk.is_terminal):
        ratio = ratio_of(image.sha256, by, mixing)
        try:
            original = read_original(image.row.path.read_bytes())
            suffix = ".jpg" if original.format == "JPEG" else ".png"
            path = out / "images" / f"{key_of(image.sha256, by, mixing)}{suffix}"
            if not path.is_file():
                fake = make_fake(original, by, ratio)
                write_atomically(path, fake.data)
                made.psnr.setdefault(by.name, []).append(fake.psnr)
        except UnfitError as reason:
            made.unfit[str(reason)] = made.unfit.get(str(reason), 0) + 1
            continue
        made.records.append(_record(image, by.name, ratio, out, path))
    return made


def _work(
    chosen: Sequence[Chosen], loaded: "Sequence[Autoencoder]", seed: int, every: bool
) -> "Iterator[tuple[Chosen, Autoencoder]]":
    names = [one.name for one in loaded]
    for image in chosen:
        for by in loaded if every else [loaded[one_of(image.sha256, names, seed)]]:
            yield image, by


def _record(image: Chosen, autoencoder: str, ratio: float, out: Path, path: Path) -> dict[str, object]:
    """The row of a fake: that of its original, but AI. Its source and its source image keep both in one fold."""
    given = image.row.record
    return {
        **{column: given.get(column, "") for column in COLUMNS},
        "filepath": filepath_from(out, path),
        "label": 1,
        "kind": "ai",
        "split": image.row.split,
        "generator": f"recon-{autoencoder}",
        "source": image.row.source,
        "source_image": given.get("source_image") or image.sha256[:_DIGEST],
        "reconstructs": image.sha256,
        "ratio": f"{ratio:.4f}",
    }


def _report(made: Made, loaded: "Sequence[Autoencoder]") -> dict[str, object]:
    counts = {one.name: _count(made, one.name) for one in loaded}
    return {
        "autoencoders": {one.name: {"sha256": one.digest, "fakes": counts[one.name]} for one in loaded},
        "left_out": made.unfit,
    }


def _table(made: Made) -> Table:
    table = Table("autoencoder", "fakes", "PSNR of what was made now, dB")
    for name in sorted({str(record["generator"]).removeprefix("recon-") for record in made.records}):
        found = made.psnr.get(name, [])
        table.add_row(name, str(_count(made, name)), f"{sum(found) / len(found):.1f}" if found else "")
    return table


def _count(made: Made, name: str) -> int:
    return sum(record["generator"] == f"recon-{name}" for record in made.records)


def _reasons(made: Made) -> str:
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(made.unfit.items()))


if __name__ == "__main__":
    run_command(app)
