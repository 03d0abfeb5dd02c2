"""Train and measure what tells drawn images from pictures: `python -m benchmarks.judgeable_gate --drawn DIR ...`.

Drawn images (icons, pages, screens, wordmarks) and pictures (photographs, AI images, paintings) come from folders. Of
the drawn ones copies are learned from too: scaled, as JPEG, and as a scanner would see them. The threshold is the one
that a wanted share of the training pictures exceeds. `--test-*` folders are of other sources; they are only measured.
"""

import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from rich.progress import track

from benchmarks.support.command import orderly, talk
from benchmarks.support.markdown import table_line
from forensics.errors import JobError
from forensics.files import write_atomically
from forensics.judgeable import LEAST_SIDE, TREES, drawn_trees
from forensics.picture_numbers import NUMBERS, picture_numbers
from forensics.reading.decode import decode
from img_ml.command import run_command
from img_ml.data.dataset import DatasetError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DEPTH, ROUNDS, RATE, LEAST_WEIGHT = 3, 200, 0.15, 15
# Of the training pictures so many may be held back.
HELD_BACK = 0.003
QUALITIES = (50, 70, 85, 95)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Folder:
    """The numbers of one folder's images, one row each."""

    name: str
    drawn: bool
    rows: Floats


@app.command()
def judgeable_gate(
    drawn: Annotated[list[Path] | None, typer.Option(help="Folder of drawn images to learn from.")] = None,
    pictures: Annotated[list[Path] | None, typer.Option(help="Folder of pictures to learn from.")] = None,
    test_drawn: Annotated[list[Path] | None, typer.Option(help="Folder of drawn images to measure on.")] = None,
    test_pictures: Annotated[list[Path] | None, typer.Option(help="Folder of pictures to measure on.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Most images of a folder.")] = 1000,
    out: Annotated[Path, typer.Option(help="Where the trees are written.")] = TREES,
) -> None:
    """Train the trees where there is something to learn from, and measure them; a table on stdout."""
    with orderly():
        if drawn and pictures:
            learned = [*_folders(drawn, True, most, copies=True), *_folders(pictures, False, most, copies=False)]
            write_atomically(out, _as_text(train(learned)))
            drawn_trees.cache_clear()
        tested = [*_folders(test_drawn or (), True, most, copies=False)]
        tested += _folders(test_pictures or (), False, most, copies=False)
        print(table_line(("folder", "images", "held back")))
        print(table_line(("---",) * 3))
        for folder in tested:
            print(table_line((folder.name, str(len(folder.rows)), f"{held_back(folder):.1%}")))


def train(folders: Sequence[Folder]) -> dict[str, Any]:
    """Trees and threshold as forensics/drawn_trees.json keeps them."""
    import xgboost

    values = np.concatenate([folder.rows for folder in folders])
    labels = np.concatenate([np.full(len(folder.rows), folder.drawn) for folder in folders])
    model = xgboost.XGBClassifier(
        max_depth=DEPTH,
        n_estimators=ROUNDS,
        learning_rate=RATE,
        min_child_weight=LEAST_WEIGHT,
        reg_lambda=3,
        subsample=0.8,
        n_jobs=1,
        random_state=0,
    )
    model.fit(values, labels)
    booster = model.get_booster()
    base = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    scores = model.predict(values[~labels], output_margin=True)
    return {
        "numbers": list(NUMBERS),
        "base": round(_logit(float(str(base).strip("[]"))), 5),
        "threshold": round(float(np.quantile(scores, 1 - HELD_BACK)), 4),
        "trees": [_tree(json.loads(text)) for text in booster.get_dump(dump_format="json")],
    }


def held_back(folder: Folder) -> float:
    """Share of the folder's images that the trees in force call drawn."""
    trees = drawn_trees()
    odds = [trees.log_odds(dict(zip(NUMBERS, row, strict=True))) for row in folder.rows]
    return float(np.mean(np.array(odds) > trees.threshold))


def _folders(paths: Sequence[Path], drawn: bool, most: int, *, copies: bool) -> Iterator[Folder]:
    dice = np.random.default_rng(0)
    for path in paths:
        files = sorted(file for file in path.rglob("*") if file.is_file())
        if not files:
            raise DatasetError(f"There are no files in {path}.")
        rows = [row for file in track(files[:most], path.name, console=talk) for row in _rows(file, dice, copies)]
        yield Folder(path.name, drawn, np.array(rows).reshape(-1, len(NUMBERS)))


def _rows(file: Path, dice: np.random.Generator, copies: bool) -> Iterator[list[float]]:
    try:
        image = Image.fromarray(decode(file.read_bytes()).pixels)
    except JobError:
        return
    shown = [image, *([_scaled(image, dice), _scanned(image, dice)] if copies else [])]
    for one in shown:
        if min(one.size) >= LEAST_SIDE:
            found = picture_numbers(np.asarray(one))
            yield [found[name] for name in NUMBERS]


def _scaled(image: Image.Image, dice: np.random.Generator) -> Image.Image:
    share = dice.uniform(0.45, 1)
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    return _as_jpeg(image.resize(size, Image.Resampling.LANCZOS), dice)


def _scanned(image: Image.Image, dice: np.random.Generator) -> Image.Image:
    """A scan of the image: soft, less contrast, a tint, a shadow across, noise."""
    soft = image.filter(ImageFilter.GaussianBlur(float(dice.uniform(0, 1.1))))
    low, high = dice.uniform(0, 50), dice.uniform(200, 255)
    pixels = low + np.asarray(soft, dtype=np.float32) * (high - low) / 255
    pixels *= np.array([1, dice.uniform(0.94, 1), dice.uniform(0.85, 1)], dtype=np.float32)
    pixels *= np.linspace(dice.uniform(0.7, 1), 1, image.width, dtype=np.float32)[None, :, None]
    pixels += dice.normal(0, dice.uniform(0.5, 9), pixels.shape[:2])[..., None]
    return _as_jpeg(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), dice)


def _as_jpeg(image: Image.Image, dice: np.random.Generator) -> Image.Image:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=int(dice.choice(QUALITIES)))
    return Image.open(target).convert("RGB")


def _tree(node: dict[str, Any]) -> float | list[Any]:
    if "leaf" in node:
        return round(float(node["leaf"]), 5)
    children = {child["nodeid"]: child for child in node["children"]}
    below, above = _tree(children[node["yes"]]), _tree(children[node["no"]])
    return [int(node["split"][1:]), float(f"{node['split_condition']:.9g}"), below, above]


def _as_text(content: dict[str, Any]) -> str:
    """JSON with each tree on a line of its own."""
    return json.dumps(content, separators=(",", ":")).replace(",[[", "\n,[[") + "\n"


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


if __name__ == "__main__":
    run_command(app)
