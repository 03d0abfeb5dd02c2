"""The images that an artifact is most wrong about, as small pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forensics.errors import JobError
from forensics.reading.decode import DecodeLimits, decode
from forensics.sandbox.sandbox import Sandbox
from forensics.sandbox.settings import SandboxSettings
from forensics.settings import load as load_settings
from forensics.types import Pixels
from fusion.evaluation.scored import ScoredTable
from fusion.output.report import data_url
from img_ml.pictures.heatmaps import shrunk

MOST = 12
_SIDE = 160


@dataclass(frozen=True, slots=True)
class Wrong:
    """One image: its name, what it is, its probability of AI, and a picture as a data URL."""

    name: str
    kind: str
    source: str
    probability: float
    picture: str


def worst(scored: ScoredTable, paths: Mapping[str, Path]) -> tuple[list[Wrong], list[Wrong]]:
    """Of the images that are not AI those with the highest probability, of the AI images those with the lowest.

    Only those on the wrong side of one half, at most MOST of each; `paths` are the files by `table.image`.
    """
    label, score = scored.table.label, scored.score
    accused = [place for place in np.argsort(-score, kind="stable") if label[place] == 0 and score[place] > 0.5]
    missed = [place for place in np.argsort(score, kind="stable") if label[place] == 1 and score[place] < 0.5]
    with Sandbox(load_settings(SandboxSettings).sandbox_rules()) as sandbox:
        shown = [
            [_wrong(scored, int(place), paths, sandbox) for place in places[:MOST]] for places in (accused, missed)
        ]
    return shown[0], shown[1]


def _wrong(scored: ScoredTable, place: int, paths: Mapping[str, Path], sandbox: Sandbox) -> Wrong:
    table = scored.table
    path = paths.get(str(table.image[place]))
    name = path.name if path is not None else str(table.image[place])[:12]
    picture = _picture(path, sandbox) if path is not None else ""
    return Wrong(name, str(table.kind[place]), str(table.source[place]), float(scored.score[place]), picture)


def _picture(path: Path, sandbox: Sandbox) -> str:
    try:
        return data_url(sandbox.run(_small, path, sandbox.rules.limits))
    except (OSError, JobError):
        return ""


def _small(path: Path, limits: DecodeLimits) -> Pixels:
    return shrunk(decode(path.read_bytes(), limits).pixels, _SIDE)
