"""Train and measure what tells drawn images from pictures: `python -m benchmarks.judgeable_gate --pages DIR ...`.

Pages, other drawn images (icons, screens, wordmarks) and pictures (photographs, AI images, paintings) come from
folders; what lies below a folder counts as one source. Copies are learned from too: of the drawn ones scaled, as JPEG,
and parts of large ones; of pages also as a scanner or a camera would see them; of large pictures one scaled down. The
threshold is the one that a wanted share of the training pictures exceeds. `--test-*` folders are of other sources; they
are only measured.
"""

import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from rich.progress import track

from benchmarks.support.command import orderly, talk
from benchmarks.support.folders import files_of
from benchmarks.support.result_file import RESULTS, write_result
from forensics.errors import JobError
from forensics.files import write_atomically
from forensics.judgeable import LEAST_SIDE, TREES, drawn_trees, reason_of
from forensics.picture_numbers import NUMBERS, picture_numbers
from forensics.reading.decode import decode
from img_ml.command import run_command
from scripts.documents.measured_tables import gate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DEPTH, ROUNDS, RATE, LEAST_WEIGHT = 4, 300, 0.1, 15
# Of the training pictures so many may be held back.
HELD_BACK = 0.004
# By so much the sum of the leaves may differ where each is rounded.
ROUNDED = ROUNDS * 0.5e-5 + 1e-4
QUALITIES = (50, 70, 85, 95)
Floats = NDArray[np.float64]
Kind = Literal["page", "drawn", "picture"]


@dataclass(frozen=True, slots=True)
class Folder:
    """The numbers of one folder's images and of their copies, one row each; `small` images are too small for any."""

    name: str
    drawn: bool
    rows: Floats
    images: int
    small: int = 0


@app.command()
def judgeable_gate(
    pages: Annotated[list[Path] | None, typer.Option(help="Folder of pages of text to learn from.")] = None,
    drawn: Annotated[list[Path] | None, typer.Option(help="Folder of other drawn images to learn from.")] = None,
    pictures: Annotated[list[Path] | None, typer.Option(help="Folder of pictures to learn from.")] = None,
    test_drawn: Annotated[list[Path] | None, typer.Option(help="Folder of drawn images to measure on.")] = None,
    test_pictures: Annotated[list[Path] | None, typer.Option(help="Folder of pictures to measure on.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Most images of a folder.")] = 1000,
    seed: Annotated[int, typer.Option(help="Draws the images of a folder that holds more, and their copies.")] = 0,
    trees: Annotated[Path, typer.Option(help="Where the trees are written.")] = TREES,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Train the trees where there is something to learn from, and measure those in force; a table on stdout."""
    with orderly():
        if (pages or drawn) and pictures:
            kinds: tuple[tuple[Kind, list[Path] | None], ...] = (
                ("page", pages),
                ("drawn", drawn),
                ("picture", pictures),
            )
            learned = [_folder(path, kind, most, seed, copies=True) for kind, paths in kinds for path in paths or ()]
            write_atomically(trees, _as_text(train(learned)))
            drawn_trees.cache_clear()
        tested = [_folder(path, "drawn", most, seed, copies=False) for path in test_drawn or ()]
        tested += [_folder(path, "picture", most, seed, copies=False) for path in test_pictures or ()]
        rows = [measured(folder) for folder in tested]
        for line in gate(rows):
            print(line)
        if rows:
            write_result("judgeable_gate", {"seed": seed, "least_side": LEAST_SIDE, "rows": rows}, talk, out)


def measured(folder: Folder) -> dict[str, object]:
    """How many images of the folder the gate holds back, beside those that are too small, and why."""
    reasons = [reason_of(dict(zip(NUMBERS, row, strict=True))) for row in folder.rows]
    found = Counter(reason for reason in reasons if reason is not None)
    held = sum(found.values())
    return {
        "name": folder.name,
        "drawn": folder.drawn,
        "images": len(folder.rows),
        "too_small": folder.small,
        "held_back": held,
        "reasons": dict(sorted(found.items())),
    }


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
        "learned_from": [{"name": one.name, "drawn": one.drawn, "images": one.images} for one in folders],
        "numbers": list(NUMBERS),
        "base": round(_logit(float(str(base).strip("[]"))), 5),
        "threshold": round(float(np.quantile(scores, 1 - HELD_BACK)) + ROUNDED, 4),
        "trees": [_tree(json.loads(text)) for text in booster.get_dump(dump_format="json")],
    }


def _folder(path: Path, kind: Kind, most: int, seed: int, *, copies: bool) -> Folder:
    dice = np.random.default_rng(seed)
    rows: list[list[float]] = []
    read = small = 0
    for file in track(files_of(path, most, seed), path.name, console=talk, transient=True):
        try:
            image = Image.fromarray(decode(file.read_bytes()).pixels)
        except JobError:
            continue
        read += 1
        small += min(image.size) < LEAST_SIDE
        shown = [image, *(_copies(image, kind, dice) if copies else ())]
        rows += [_numbers(one) for one in shown if min(one.size) >= LEAST_SIDE]
    return Folder(path.name, kind != "picture", np.array(rows).reshape(-1, len(NUMBERS)), read, small)


def _numbers(image: Image.Image) -> list[float]:
    found = picture_numbers(np.asarray(image))
    return [found[name] for name in NUMBERS]


def _copies(image: Image.Image, kind: Kind, dice: np.random.Generator) -> Iterator[Image.Image]:
    large = min(image.size) >= 2 * LEAST_SIDE
    if kind == "picture":
        if large:
            yield _resized(image, dice.uniform(LEAST_SIDE, min(image.size)) / min(image.size))
        return
    yield _scaled(image, dice)
    if kind == "page":
        yield _scanned(image, dice)
    if large:
        yield _as_jpeg(_part(image, dice), dice)
        if kind == "page":
            yield _scanned(_part(image, dice), dice)


def _scaled(image: Image.Image, dice: np.random.Generator) -> Image.Image:
    return _as_jpeg(_resized(image, dice.uniform(0.45, 1)), dice)


def _part(image: Image.Image, dice: np.random.Generator) -> Image.Image:
    """A third to two thirds of each side, anywhere, at least as large as what is judged."""
    width, height = (max(LEAST_SIDE, round(side * dice.uniform(0.33, 0.67))) for side in image.size)
    left, top = (
        int(dice.integers(0, whole - part + 1)) for whole, part in zip(image.size, (width, height), strict=True)
    )
    return image.crop((left, top, left + width, top + height))


def _scanned(image: Image.Image, dice: np.random.Generator) -> Image.Image:
    """A scan or a photograph of the image: soft, less contrast, tinted paper with a grain, a shadow across, noise."""
    soft = image.filter(ImageFilter.GaussianBlur(float(dice.uniform(0, 1.3))))
    low, high = dice.uniform(0, 70), dice.uniform(140, 255)
    pixels = low + np.asarray(soft, dtype=np.float32) * (high - low) / 255
    pixels *= np.array([1, dice.uniform(0.8, 1), dice.uniform(0.55, 1)], dtype=np.float32)
    pixels *= np.linspace(dice.uniform(0.6, 1), 1, image.width, dtype=np.float32)[None, :, None]
    pixels += _grain(image.size, dice)[..., None]
    pixels += dice.normal(0, dice.uniform(0.5, 9), pixels.shape[:2])[..., None]
    return _as_jpeg(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), dice)


def _grain(size: tuple[int, int], dice: np.random.Generator) -> Floats:
    """Unevenness of paper, coarser than noise; levels, H x W."""
    width, height = size
    coarse = dice.normal(0, dice.uniform(0, 12), (height // 6 + 1, width // 6 + 1)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=np.float64)


def _resized(image: Image.Image, share: float) -> Image.Image:
    size = math.ceil(image.width * share), math.ceil(image.height * share)
    return image.resize(size, Image.Resampling.LANCZOS)


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
