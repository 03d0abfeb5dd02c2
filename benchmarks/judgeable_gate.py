"""Train and measure what tells drawn images from pictures: `python -m benchmarks.judgeable_gate --pages DIR ...`.

Pages, other drawn images (icons, screens, wordmarks) and pictures (photographs, AI images, paintings) come from
folders. Each folder in one of them is a source of its own, or else it is one itself. Copies are learned from too: of
the drawn ones scaled, as JPEG, and parts of large ones; of pages also as a scanner or a camera would see them; of
large pictures one scaled down. What was learned from is measured out of fold: a source by trees and a threshold that
come from other sources. The threshold is the one that a wanted share of the pictures exceeds, out of fold. `--test-*`
folders are measured by the trees that ship.
"""

import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from img_ml.data.dataset import DatasetError
from scripts.documents.measured_tables import gate

if TYPE_CHECKING:
    from xgboost import XGBClassifier

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DEPTH, ROUNDS, RATE, LEAST_WEIGHT = 4, 300, 0.1, 15
# Of the pictures so many may be held back, each as a tree that did not learn from its folder sees it.
HELD_BACK = 0.006
FOLDS = 10
# By so much the sum of the leaves may differ where each is rounded.
ROUNDED = ROUNDS * 0.5e-5 + 1e-4
QUALITIES = (50, 70, 85, 95)
Floats = NDArray[np.float64]
Kind = Literal["page", "drawn", "picture"]


@dataclass(frozen=True, slots=True)
class Folder:
    """The numbers of one source's images and of their copies, one row each; `small` images are too small for any."""

    group: str
    name: str
    drawn: bool
    rows: Floats
    copies: Floats
    images: int
    small: int = 0


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Log-odds of each folder's images by trees of the other folders, and the threshold that the others allow."""

    scores: tuple[Floats, ...]
    thresholds: tuple[float, ...]
    threshold: float


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
        counts: list[dict[str, Any]] = []
        if (pages or drawn) and pictures:
            learned = [
                *_sources(pages, "page", most, seed, copies=True),
                *_sources(drawn, "drawn", most, seed, copies=True),
                *_sources(pictures, "picture", most, seed, copies=True),
            ]
            fitted = cross_fit(learned)
            counts = [measured_out_of_fold(fitted, learned, number) for number in range(len(learned))]
            write_atomically(trees, _as_text(train(learned, fitted.threshold)))
            drawn_trees.cache_clear()
        tested = [*_sources(test_drawn, "drawn", most, seed, copies=False)]
        tested += _sources(test_pictures, "picture", most, seed, copies=False)
        rows = in_groups([*counts, *map(measured, tested)])
        for line in gate(rows):
            print(line)
        if rows:
            write_result("judgeable_gate", {"seed": seed, "least_side": LEAST_SIDE, "rows": rows}, talk, out)


def measured(folder: Folder) -> dict[str, Any]:
    """How many images of the source the gate that ships holds back, beside those that are too small, and why."""
    trees = drawn_trees()
    return _measured(folder, [trees.holds_back(_named(row)) for row in folder.rows])


def measured_out_of_fold(fitted: CrossFit, folders: Sequence[Folder], number: int) -> dict[str, Any]:
    """The same of a source that was learned from, by trees and a threshold that never saw it."""
    row = _measured(folders[number], fitted.scores[number] > fitted.thresholds[number])
    return {**row, "out_of_fold": True}


def _measured(folder: Folder, drawn: Iterable[bool]) -> dict[str, Any]:
    found = Counter(
        reason for row, seen in zip(folder.rows, drawn, strict=True) if (reason := reason_of(_named(row), drawn=seen))
    )
    return {
        "name": folder.group,
        "drawn": folder.drawn,
        "sources": 1,
        "images": len(folder.rows),
        "too_small": folder.small,
        "held_back": sum(found.values()),
        "reasons": dict(sorted(found.items())),
    }


def in_groups(counts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a group of sources, in the order in which groups come: their counts added up."""
    rows: dict[tuple[object, ...], dict[str, Any]] = {}
    for one in counts:
        row = rows.setdefault((one["name"], one["drawn"], "out_of_fold" in one), {})
        reasons = Counter(row.get("reasons", {})) + Counter(one["reasons"])
        for key in ("sources", "images", "too_small", "held_back"):
            row[key] = row.get(key, 0) + one[key]
        row |= {key: value for key, value in one.items() if key not in row} | {"reasons": dict(sorted(reasons.items()))}
    return list(rows.values())


def cross_fit(folders: Sequence[Folder]) -> CrossFit:
    """Scores by folds over sources; each fold has its share of the drawn ones and of the pictures."""
    drawn = sum(one.drawn for one in folders)
    folds = min(FOLDS, drawn, len(folders) - drawn)
    if folds < 2:
        raise DatasetError("Name at least two sources of drawn images and two of pictures: each is held out once.")
    ranked = sorted(range(len(folders)), key=lambda number: (folders[number].drawn, -folders[number].images))
    fold = {number: rank % folds for rank, number in enumerate(ranked)}
    scores: list[Floats] = [np.zeros(0)] * len(folders)
    for held in track(range(folds), "folds", console=talk, transient=True):
        model = _model([one for number, one in enumerate(folders) if fold[number] != held])
        for number, one in enumerate(folders):
            if fold[number] == held and len(one.rows):
                scores[number] = np.asarray(model.predict(one.rows, output_margin=True), dtype=np.float64)
    pictures = {number: scores[number] for number, one in enumerate(folders) if not one.drawn}
    thresholds = [_threshold([s for other, s in pictures.items() if fold[other] != fold[n]]) for n in fold]
    by_number = dict(zip(fold, thresholds, strict=True))
    ordered = tuple(by_number[number] for number in range(len(folders)))
    return CrossFit(tuple(scores), ordered, _threshold(list(pictures.values())))


def train(folders: Sequence[Folder], threshold: float) -> dict[str, Any]:
    """Trees over all folders, and a threshold, as forensics/drawn_trees.json keeps them."""
    booster = _model(folders).get_booster()
    base = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    return {
        "learned_from": [{"name": one.name, "drawn": one.drawn, "images": one.images} for one in folders],
        "numbers": list(NUMBERS),
        "base": round(_logit(float(str(base).strip("[]"))), 5),
        "threshold": round(threshold + ROUNDED, 4),
        "trees": [_tree(json.loads(text)) for text in booster.get_dump(dump_format="json")],
    }


def _model(folders: Sequence[Folder]) -> "XGBClassifier":
    import xgboost

    values = np.concatenate([np.concatenate((folder.rows, folder.copies)) for folder in folders])
    labels = np.concatenate([np.full(len(folder.rows) + len(folder.copies), folder.drawn) for folder in folders])
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
    return model


def _threshold(pictures: Sequence[Floats]) -> float:
    """The log-odds that a share of HELD_BACK of the pictures exceeds."""
    return float(np.quantile(np.concatenate(pictures), 1 - HELD_BACK))


def _named(row: Floats) -> dict[str, float]:
    return dict(zip(NUMBERS, row.tolist(), strict=True))


def _sources(folders: Sequence[Path] | None, kind: Kind, most: int, seed: int, *, copies: bool) -> Iterator[Folder]:
    """Every folder in a folder, or it itself where it holds none."""
    for path in folders or ():
        for source in sorted(one for one in path.iterdir() if one.is_dir()) or [path]:
            yield _folder(path.name, source, kind, most, seed, copies=copies)


def _folder(group: str, path: Path, kind: Kind, most: int, seed: int, *, copies: bool) -> Folder:
    dice = np.random.default_rng(seed)
    own: list[list[float]] = []
    copied: list[list[float]] = []
    read = small = 0
    for file in track(files_of(path, most, seed), path.name, console=talk, transient=True):
        try:
            image = Image.fromarray(decode(file.read_bytes()).pixels)
        except JobError:
            continue
        read += 1
        if min(image.size) >= LEAST_SIDE:
            own.append(_numbers(image))
        else:
            small += 1
        if copies:
            copied += [_numbers(one) for one in _copies(image, kind, dice) if min(one.size) >= LEAST_SIDE]
    return Folder(group, path.name, kind != "picture", _as_rows(own), _as_rows(copied), read, small)


def _as_rows(numbers: Sequence[Sequence[float]]) -> Floats:
    return np.array(numbers, dtype=np.float64).reshape(-1, len(NUMBERS))


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
