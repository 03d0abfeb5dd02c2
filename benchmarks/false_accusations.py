"""How often what no machine made is called AI: `python -m benchmarks.false_accusations --photographs DIR`.

Every image of the folders is judged by the profile as the worker would. Photographs are judged as they are, scaled down
to each long side, as JPEG thumbnails, and scaled down to each smaller side (the gate refuses below a limit).
Each row also says how many would be called AI without the gate of `forensics.judgeable`.
"""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from rich.progress import track
from scipy.stats import beta

from benchmarks.support.command import orderly, talk
from benchmarks.support.folders import files_of
from benchmarks.support.result_file import RESULTS, write_result
from forensics.errors import JobError
from forensics.examine import Examined, examine
from forensics.reading.decode import decode
from forensics.settings import load as load_settings
from forensics.types import ImageSample
from fusion.judge import Judge, load_judge
from fusion.settings import FusionSettings
from img_ml.command import run_command
from img_ml.data.dataset import DatasetError
from img_ml.settings import ImgMlSettings
from scripts.documents.measured_tables import accusations

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
LONG_SIDES = (64, 96, 128, 160, 192, 224, 256, 320, 512, 1024)
SMALLER_SIDES = (64, 96, 128, 160, 192, 224, 256, 288, 320)
THUMBNAIL, THUMBNAIL_QUALITY = 160, 75


@dataclass(slots=True)
class AccusationCount:
    """What became of the images of one row; `ungated` counts those called AI where no image is held back."""

    name: str
    images: int = 0
    accused: int = 0
    ungated: int = 0
    unread: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)

    def add(self, judge: Judge, sample: ImageSample) -> None:
        """Judge one image, with the gate and without."""
        evidence = examine(sample, judge.analyzers)
        (verdict,) = judge.conclude([Examined(replace(evidence, not_judged=None), sample)])
        self.images += 1
        # What the file declares decides a label by itself; a gate would not change that.
        if evidence.not_judged is not None:
            self.not_judged[evidence.not_judged.reason] += 1
        self.ungated += verdict.label == "AI"
        self.accused += verdict.label == "AI" and (evidence.not_judged is None or verdict.basis == "provenance")

    @property
    def upper(self) -> float:
        """The accused share's upper limit, one-sided 95 % (Clopper and Pearson)."""
        if self.accused == self.images:
            return 1.0
        return float(beta.ppf(0.95, self.accused + 1, self.images - self.accused))


@app.command()
def false_accusations(
    photographs: Annotated[Path | None, typer.Option(help="Folder of photographs.")] = None,
    kind: Annotated[list[str] | None, typer.Option(metavar="NAME=DIR", help="Folder of another kind of image.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Most images of a row.")] = 400,
    seed: Annotated[int, typer.Option(help="Draws the images of a folder that holds more.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the result file, one for each profile.")] = RESULTS,
) -> None:
    """Judge the images by the profile in force; a table on stdout, and a result file."""
    with orderly():
        judge = load_judge(load_settings(ImgMlSettings), load_settings(FusionSettings))
        tallies = _photographs(judge, files_of(photographs, most, seed)) if photographs else []
        tallies += [_folder(judge, name, files_of(path, most, seed)) for name, path in map(_named, kind or ())]
        if not tallies:
            raise DatasetError("Name at least one folder: --photographs DIR or --kind NAME=DIR.")
        rows = [_row(tally) for tally in tallies]
        for line in accusations(rows):
            print(line)
        content = {"profile": judge.profile, "fingerprint": judge.fingerprint, "seed": seed, "rows": rows}
        write_result(f"false_accusations_{Path(judge.profile).stem}", content, talk, out)


def _row(tally: AccusationCount) -> dict[str, object]:
    parts = asdict(tally)
    parts["not_judged"] = dict(sorted(tally.not_judged.items()))
    return {**parts, "upper": round(tally.upper, 4)}


def _named(option: str) -> tuple[str, Path]:
    name, _, folder = option.partition("=")
    if not name or not folder:
        raise DatasetError(f"{option!r} is not NAME=DIR: write for example icons=my/icons.")
    return name, Path(folder)


def _folder(judge: Judge, name: str, files: Sequence[Path]) -> AccusationCount:
    tally = AccusationCount(name)
    for path in track(files, name, console=talk, transient=True):
        try:
            tally.add(judge, decode(path.read_bytes()))
        except JobError:
            tally.unread += 1
    return tally


def _photographs(judge: Judge, files: Sequence[Path]) -> list[AccusationCount]:
    """A row for the photographs as they are, and one for each size they are scaled down to."""
    whole, thumbnails = AccusationCount("photographs as they are"), AccusationCount(f"JPEG thumbnails, {THUMBNAIL} px")
    long = {side: AccusationCount(f"photographs, long side {side} px") for side in LONG_SIDES}
    smaller = {side: AccusationCount(f"photographs, smaller side {side} px") for side in SMALLER_SIDES}
    for path in track(files, "photographs", console=talk, transient=True):
        try:
            sample = decode(path.read_bytes())
        except JobError:
            whole.unread += 1
            continue
        whole.add(judge, sample)
        image = Image.fromarray(sample.pixels)
        for tally, scaled in _scaled(image, thumbnails, long, smaller):
            tally.add(judge, decode(scaled))
    return [whole, thumbnails, *long.values(), *smaller.values()]


def _scaled(
    image: Image.Image,
    thumbnails: AccusationCount,
    long: dict[int, AccusationCount],
    smaller: dict[int, AccusationCount],
) -> Iterator[tuple[AccusationCount, bytes]]:
    """The photograph at each size that is not larger than itself, with the row it belongs to."""
    longest, shortest = max(image.size), min(image.size)
    if longest >= THUMBNAIL:
        yield thumbnails, _encoded(_shrunk(image, THUMBNAIL / longest), THUMBNAIL_QUALITY)
    for side, tally in long.items():
        if longest >= side:
            yield tally, _encoded(_shrunk(image, side / longest), None)
    for side, tally in smaller.items():
        if shortest >= side:
            yield tally, _encoded(_shrunk(image, side / shortest), None)


def _shrunk(image: Image.Image, share: float) -> Image.Image:
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    return image.resize(size, Image.Resampling.LANCZOS)


def _encoded(image: Image.Image, quality: int | None) -> bytes:
    """The image as PNG, or as JPEG of a quality."""
    target = io.BytesIO()
    if quality is None:
        image.save(target, "PNG", compress_level=1)
    else:
        image.save(target, "JPEG", quality=quality)
    return target.getvalue()


if __name__ == "__main__":
    run_command(app)
