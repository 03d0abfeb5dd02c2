"""`python -m img_ml.spai train | test | infer | pretrain`: SPAI trained, measured and used."""

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from forensics.errors import UsageError
from forensics.files import write_atomically
from forensics.registry import Setup
from forensics.settings import load as load_settings
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import DatasetError, Row, check_files
from img_ml.data.image_files import image_files
from img_ml.settings import ImgMlSettings
from img_ml.train.spai.config import Config, load
from img_ml.train.spai.key_value import WithOptions, pairs

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
talk = talk_console()

Cfg = Annotated[str, typer.Option(help="YAML file of settings, or the name of a packaged one: spai, small.")]
Output = Annotated[Path, typer.Option(help="Folder of results.")]
Tag = Annotated[str, typer.Option(help="Name of this run: its folder in the output.")]
Data = Annotated[Path, typer.Option(help="CSV with filepath,label,split (source), or with image,class,split.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="DATA.BATCH_SIZE: images in a batch.")]
Accumulation = Annotated[int | None, typer.Option(min=1, help="TRAIN.ACCUMULATION_STEPS: batches in a step.")]
Amp = Annotated[str | None, typer.Option(help="O0: float32; O1, O2: torch's own mixed precision in bfloat16.")]
Workers = Annotated[int | None, typer.Option(min=0, help="DATA.NUM_WORKERS: processes that make crops.")]
SaveAll = Annotated[bool, typer.Option("--save-all", help="Keep every epoch's checkpoint, not the best and the last.")]
Opt = Annotated[list[str] | None, typer.Option("--opt", metavar="KEY VALUE", help="A setting's value; repeatable.")]
MODEL_HELP = "Checkpoint or safetensors file (default: the installed weights)."


@app.callback()
def main() -> None:
    """Train, measure and use SPAI.

    Exit codes: 0 done, 2 something is wrong with the input, 3 incomplete: interrupted (the same command goes on), or
    `infer` could not read some images.
    """


@app.command(cls=WithOptions)
def train(
    data_path: Data,
    pretrained: Annotated[Path, typer.Option(help="The backbone: mfm_pretrain_vit_base.pth, or one of `pretrain`.")],
    cfg: Cfg = "spai",
    output: Output = Path("output/train"),
    tag: Tag = "default",
    batch_size: BatchSize = None,
    accumulation_steps: Accumulation = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="TRAIN.BASE_LR.")] = None,
    amp_opt_level: Amp = None,
    data_workers: Workers = None,
    save_all: SaveAll = False,
    resume: Annotated[bool, typer.Option("--resume", help="Accepted and ignored: a training always resumes.")] = False,
    install: Annotated[bool, typer.Option(help="Install the best epoch for the detector `spai`.")] = True,
    opt: Opt = None,
) -> None:
    """Train SPAI on a frozen backbone, into OUTPUT/finetune/TAG, and install the best epoch.

    Early stopping watches the val split, or with DATA.WATCHED sources a fifth of the sources outside test.
    """
    with told_errors(talk):
        named: list[tuple[str, object]] = [
            ("DATA.BATCH_SIZE", batch_size),
            ("TRAIN.ACCUMULATION_STEPS", accumulation_steps),
            ("TRAIN.BASE_LR", learning_rate),
            ("AMP_OPT_LEVEL", amp_opt_level),
            ("DATA.NUM_WORKERS", data_workers),
        ]
        config = _config(cfg, named, opt)
        rows = _rows(data_path)
        from img_ml.train.spai.finetune import finetune, install_best

        folder, settings = output / config.MODEL.NAME / tag, load_settings(ImgMlSettings)
        done = finetune(rows, config, pretrained, folder, _device(), talk, keep_all=save_all)
        if install:
            install_best(done, folder, settings.weights_dir)
            talk.print(f"Installed spai in {settings.weights_dir}.")
    talk.print(f"The best epoch is {done.best_epoch}: validation AUC {done.best:.3f}.")
    sys.stdout.write(f"{folder / f'ckpt_epoch_{done.best_epoch}.pth'}\n")


@app.command(cls=WithOptions)
def pretrain(
    data_path: Data,
    cfg: Cfg = "spai",
    output: Output = Path("output/train"),
    tag: Tag = "default",
    batch_size: BatchSize = None,
    accumulation_steps: Accumulation = None,
    amp_opt_level: Amp = None,
    data_workers: Workers = None,
    save_all: SaveAll = False,
    opt: Opt = None,
) -> None:
    """Train the backbone by masked-frequency modelling, into OUTPUT/pretrain/TAG.

    It learns from real images (label 0) alone, and the CSV need hold no others; --opt DATA.PRETRAIN_ON all takes all.
    """
    with told_errors(talk):
        named: list[tuple[str, object]] = [
            ("DATA.BATCH_SIZE", batch_size),
            ("PRETRAIN.ACCUMULATION_STEPS", accumulation_steps),
            ("AMP_OPT_LEVEL", amp_opt_level),
            ("DATA.NUM_WORKERS", data_workers),
        ]
        config = _config(cfg, named, opt)
        rows = _rows(data_path)
        from img_ml.train.spai.pretraining import pretrain as run

        folder = output / "pretrain" / tag
        done = run(rows, config, folder, _device(), talk, keep_all=save_all)
    talk.print(f"The best epoch is {done.best_epoch}: validation loss {-done.best:.4f}.")
    sys.stdout.write(f"{folder / f'ckpt_epoch_{done.best_epoch}.pth'}\n")


@app.command("test", cls=WithOptions)
def measure(
    test_csv: Annotated[list[Path], typer.Option(help="CSV of labelled images; repeatable.")],
    model: Annotated[Path | None, typer.Option(help=MODEL_HELP)] = None,
    cfg: Cfg = "spai",
    output: Output = Path("output/test"),
    tag: Tag = "test",
    split: Annotated[
        str | None, typer.Option(help="The split to measure (default: test, or val where a CSV has no test).")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Accepted and ignored: images are processed one by one.")
    ] = None,
    amp_opt_level: Amp = None,
    opt: Opt = None,
) -> None:
    """Measure a network on labelled images: a table, and OUTPUT/TAG/NAME.csv with every score, NAME.json beside it."""
    with told_errors(talk):
        config = _config(cfg, [("AMP_OPT_LEVEL", amp_opt_level)], opt)
        measured = {}
        for path in test_csv:
            rows = _of_split(path, split)
            measured[path.stem] = _measured(rows, model, config, output / tag / path.stem)
    _show(measured)


@app.command(cls=WithOptions)
def infer(
    source: Annotated[Path, typer.Option("--input", help="Folder of images, or a CSV that lists them.")],
    output: Output = Path("output"),
    model: Annotated[Path | None, typer.Option(help=MODEL_HELP)] = None,
    cfg: Cfg = "spai",
    tag: Annotated[str, typer.Option(help="Column of the scores.")] = "spai",
    heatmaps: Annotated[bool, typer.Option(help="Overlay on each image the patches that were attended to.")] = False,
    amp_opt_level: Amp = None,
    opt: Opt = None,
) -> None:
    """Score images, into OUTPUT/NAME.csv with a probability of AI for each; what cannot be read is told in it."""
    with told_errors(talk):
        config = _config(cfg, [("AMP_OPT_LEVEL", amp_opt_level)], opt)
        target = output / f"{source.stem or 'images'}.csv"
        if target.resolve() == source.resolve():
            raise UsageError(f"{target} would be written over the input: name another --output.")
        paths = _images(source)
        from img_ml.train.spai.rows import table

        found = []
        for scored in _scored(paths, model, config):
            value = "" if scored.problem else f"{scored.probability:.6f}"
            told = {"filepath": str(scored.path), tag: value, "patches": scored.patches, "problem": scored.problem}
            found.append(told)
            if heatmaps and not scored.problem:
                _draw(scored, output / _name_of_map(scored.path, source))
        write_atomically(target, table(found))
    broken = sum(bool(one["problem"]) for one in found)
    talk.print(f"Wrote {target}: {len(found)} images" + (f", {broken} of them unreadable." if broken else "."))
    sys.stdout.write(f"{target}\n")
    raise typer.Exit(3 if broken else 0)


def _of_split(path: Path, split: str | None) -> list[Row]:
    """The rows of the split; where none is named those of test, or of val, with a word, where there are none."""
    rows = _rows(path)
    for name in (split,) if split else ("test", "val"):
        if found := [row for row in rows if row.split == name]:
            if split is None and name == "val":
                talk.print(f"{path} has no test split: measuring val, which a training may have chosen its epoch by.")
            return found
    raise DatasetError(f"{path} has no images of the split {split or 'test'}.")


def _config(cfg: str, named: Sequence[tuple[str, object]], opt: list[str] | None) -> Config:
    """The settings of the file, with what the command's own options and then --opt say over them."""
    return load(cfg, [*((key, value) for key, value in named if value is not None), *pairs(opt)], talk.print)


def _rows(path: Path) -> list[Row]:
    from img_ml.train.spai.rows import read

    rows = read(path)
    check_files(path, rows)
    return rows


def _device() -> str:
    from img_ml.engine.device import choose_device

    return choose_device(load_settings(ImgMlSettings).device)


def _scored(paths: Sequence[Path], model: Path | None, config: Config) -> Any:
    from rich.progress import track

    from img_ml.train.spai.finetune import network_in
    from img_ml.train.spai.scoring import scores
    from img_ml.weights.store import installed_for

    if model is None:
        (weights,) = installed_for("spai", Setup(load_settings(ImgMlSettings).weights_dir))
        model = weights.file("model.safetensors")
    batch, low = config.MODEL.FEATURE_EXTRACTION_BATCH, config.AMP_OPT_LEVEL != "O0"
    found = scores(network_in(model), paths, _device(), batch, low=low)
    return track(found, "Scoring", len(paths), console=talk, disable=not talk.is_terminal)


def _measured(rows: Sequence[Row], model: Path | None, config: Config, target: Path) -> dict[str, float]:
    """The figures of the rows; the scores are written beside them."""
    from img_ml.train.spai.rows import table
    from img_ml.train.spai.scoring import figures, interval

    pairs = list(zip(rows, _scored([row.path for row in rows], model, config), strict=True))
    known = [(row, scored) for row, scored in pairs if not scored.problem]
    if not known:
        raise DatasetError(f"None of the {len(rows)} images can be read, the first is {rows[0].path}.")
    labels, values = [row.label for row, _ in known], [scored.probability for _, scored in known]
    over_sources = interval(labels, values, [row.source for row, _ in known])
    over_images = interval(labels, values, [str(row.path) for row, _ in known])
    told = {
        "images": float(len(known)),
        **figures(labels, values),
        **dict(zip(("auc_sources_low", "auc_sources_high"), over_sources, strict=True)),
        **dict(zip(("auc_images_low", "auc_images_high"), over_images, strict=True)),
    }
    listed: list[dict[str, object]] = [
        {"filepath": str(row.path), "label": row.label, "source": row.source, **_told(scored)} for row, scored in pairs
    ]
    write_atomically(target.with_suffix(".csv"), table(listed))
    write_atomically(target.with_suffix(".json"), json.dumps(told, indent=2) + "\n")
    return told


def _told(scored: Any) -> dict[str, object]:
    told = asdict(scored)
    return {"spai": told["probability"], "patches": told["patches"], "problem": told["problem"]}


def _show(measured: dict[str, dict[str, float]]) -> None:
    table = Table("Dataset", "Images", "Accuracy", "AP", "AUC", "95 % over sources", "95 % over images", "Loss")
    for name, told in measured.items():
        ends = [f"{told[f'auc_{way}_low']:.3f} to {told[f'auc_{way}_high']:.3f}" for way in ("sources", "images")]
        values = [f"{told[key]:.3f}" for key in ("accuracy", "ap", "auc")]
        table.add_row(name, f"{told['images']:.0f}", *values, *ends, f"{told['loss']:.3f}")
    data_console().print(table)


def _images(source: Path) -> list[Path]:
    """The images of a folder and those below it, or those that a CSV lists."""
    if source.is_dir():
        return image_files(source)
    from img_ml.train.spai.rows import paths

    return paths(source)


def _name_of_map(image: Path, source: Path) -> Path:
    """Where an image's map belongs in the output: as the image in its folder, for names may repeat in others."""
    root = source if source.is_dir() else source.parent
    place = image.relative_to(root) if image.is_relative_to(root) and ".." not in image.parts else Path(image.name)
    return place.with_name(f"{image.name}.spai.png")


def _draw(scored: Any, target: Path) -> None:
    from PIL import Image

    from forensics.reading.decode import decode
    from img_ml.pictures.heatmaps import overlay

    pixels = decode(scored.path.read_bytes()).pixels
    drawn = io.BytesIO()
    Image.fromarray(overlay(pixels, scored.heatmap)).save(drawn, "PNG")
    write_atomically(target, drawn.getvalue())


if __name__ == "__main__":
    run_command(app)
