"""How often what no machine made is called AI: `python -m benchmarks.false_accusations --photographs DIR`.

Every image of the folders is judged by the profile as the worker would. Photographs are judged as they are, scaled down
to each long side, and as JPEG thumbnails. Each row also says what the label would be without the gate of
`forensics.judgeable`.
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
from benchmarks.support.markdown import table_line
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

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
LONG_SIDES = (64, 96, 128, 160, 192, 224, 256, 320, 512, 1024)
THUMBNAIL, THUMBNAIL_QUALITY = 160, 75
HEADER = ("images", "count", "AI", "at most (95 %)", "no probability", "AI without the gate")


@dataclass(slots=True)
class Tally:
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
    photographs: Annotated[list[Path] | None, typer.Option(help="Folder of photographs; may be repeated.")] = None,
    kind: Annotated[list[str] | None, typer.Option(metavar="NAME=DIR", help="Folder of another kind of image.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Most images of a row, the first by name.")] = 400,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Judge the images; a table on stdout, and a result file."""
    with orderly():
        judge = load_judge(load_settings(ImgMlSettings), load_settings(FusionSettings))
        tallies = [_folder(judge, name, folder, most) for name, folder in map(_named, kind or ())]
        tallies += [row for folder in photographs or () for row in _photographs(judge, folder, most)]
        if not tallies:
            raise DatasetError("Name at least one folder: --photographs DIR or --kind NAME=DIR.")
        rows = [_row(tally) for tally in tallies]
        for line in table(rows):
            print(line)
        content = {"profile": judge.profile, "fingerprint": judge.fingerprint, "rows": rows}
        write_result("false_accusations", content, talk, out)


def table(rows: Sequence[dict[str, object]]) -> list[str]:
    """The rows of a result in Markdown."""
    lines = [table_line(HEADER), table_line(["---"] * len(HEADER))]
    for row in rows:
        reasons = row["not_judged"]
        assert isinstance(reasons, dict)
        held = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "0"
        cells = (str(row["name"]), str(row["images"]), str(row["accused"]), f"{row['upper']:.1%}")
        lines.append(table_line([*cells, held, str(row["ungated"])]))
    return lines


def _row(tally: Tally) -> dict[str, object]:
    parts = asdict(tally)
    parts["not_judged"] = dict(sorted(tally.not_judged.items()))
    return {**parts, "upper": round(tally.upper, 4)}


def _named(option: str) -> tuple[str, Path]:
    name, _, folder = option.partition("=")
    if not name or not folder:
        raise DatasetError(f"{option!r} is not NAME=DIR.")
    return name, Path(folder)


def _folder(judge: Judge, name: str, folder: Path, most: int) -> Tally:
    tally = Tally(name)
    for path in track(_files(folder)[:most], name, console=talk, transient=True):
        try:
            tally.add(judge, decode(path.read_bytes()))
        except JobError:
            tally.unread += 1
    return tally


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    if not found:
        raise DatasetError(f"There are no files in {folder}.")
    return found


def _photographs(judge: Judge, folder: Path, most: int) -> Iterator[Tally]:
    yield _folder(judge, f"photographs of {folder.name}", folder, most)
    yield _scaled(judge, folder, most, "JPEG thumbnails, 160 px", THUMBNAIL, THUMBNAIL_QUALITY)
    for side in LONG_SIDES:
        yield _scaled(judge, folder, most, f"photographs, long side {side} px", side, None)


def _scaled(judge: Judge, folder: Path, most: int, name: str, side: int, quality: int | None) -> Tally:
    """The photographs scaled down to a long side, as PNG or as JPEG; those that are smaller are left out."""
    tally = Tally(name)
    for path in track(_files(folder)[:most], name, console=talk, transient=True):
        try:
            pixels = decode(path.read_bytes()).pixels
        except JobError:
            tally.unread += 1
            continue
        image = Image.fromarray(pixels)
        if max(image.size) >= side:
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            tally.add(judge, decode(_encoded(image, quality)))
    return tally


def _encoded(image: Image.Image, quality: int | None) -> bytes:
    target = io.BytesIO()
    if quality is None:
        image.save(target, "PNG", compress_level=1)
    else:
        image.save(target, "JPEG", quality=quality)
    return target.getvalue()


if __name__ == "__main__":
    run_command(app)
