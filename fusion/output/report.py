"""The report: one self-contained HTML file about one image or several, to read, print and hand on."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from PIL import Image

from forensics.registry import get
from forensics.types import ImageSample, Pixels, Signal
from fusion.output.messages import Messages
from fusion.output.view import ResultView
from img_ml.pictures.colours import palette
from img_ml.pictures.heatmaps import located_maps, overlay, shrunk

_LONGEST_SIDE = 1000


@dataclass(frozen=True, slots=True)
class MapView:
    """One map: the picture as a URL, its title, what it shows, and what not to read into it."""

    picture: str
    title: str
    shows: str
    caution: str


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One image of a report; `picture` is a data URL, or empty where the image could not be shown."""

    view: ResultView
    picture: str = ""
    maps: tuple[MapView, ...] = ()


def entry(view: ResultView, sample: ImageSample, signals: tuple[Signal, ...], say: Messages) -> ReportEntry:
    """The entry of a decoded image, with every map that its signals have."""
    pixels = shrunk(sample.pixels, _LONGEST_SIDE)
    maps = tuple(
        map_view(signal.detector, data_url(overlay(pixels, heatmap)), say)
        for signal, heatmap in located_maps(sample, signals)
    )
    return ReportEntry(view, data_url(pixels), maps)


def render_report(entries: Sequence[ReportEntry], say: Messages, made: datetime | None = None) -> str:
    """The report as HTML that needs nothing beside it."""
    date = (made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            entries=entries,
            say=say,
            date=date,
            css=Markup(asset("verdict.css")),  # noqa: S704 - our own file
            script=Markup(asset("sort.js")),  # noqa: S704 - our own file
            bar=data_url(palette()[None]),
        )
    )


@cache
def templates() -> Environment:
    """The templates; everything that is filled in is escaped."""
    return Environment(
        loader=PackageLoader("fusion.output", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def asset(name: str) -> str:
    """The text of a file beside the templates."""
    return (resources.files("fusion.output") / "templates" / name).read_text(encoding="utf-8")


def data_url(pixels: Pixels) -> str:
    """The picture inside a URL."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def map_view(detector: str, picture: str, say: Messages) -> MapView:
    """A detector's map with what is told of it; `picture` is a URL."""
    from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

    spec = get(detector).spec
    caution = say("maps.ela" if detector == "ela" else "maps.other")
    looks_at = say.retold(spec.looks_at)
    shows = f"{looks_at[:1].upper()}{looks_at[1:].rstrip('.')}."
    return MapView(picture, say.retold(spec.title), shows, caution)
