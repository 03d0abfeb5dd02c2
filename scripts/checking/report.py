"""The report that a check writes beside what it tells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forensics.types import ImageSample, Signal
from fusion.output.messages import Messages
from fusion.output.report import ReportEntry, entry, render_report
from fusion.output.view import view


class HtmlReport:
    """Collects checked images, then writes them as one HTML file."""

    def __init__(self, path: Path, say: Messages) -> None:
        self.path = path
        self._say = say
        self._entries: list[ReportEntry] = []

    def add(
        self, document: Mapping[str, Any], sample: ImageSample | None = None, signals: tuple[Signal, ...] = ()
    ) -> None:
        """Add one image; without a sample it is told without pictures."""
        shown = view(document, document["image_url"], self._say)
        self._entries.append(ReportEntry(shown) if sample is None else entry(shown, sample, signals, self._say))

    def write(self) -> None:
        """Write the file; OSError where it cannot be written."""
        self.path.write_text(render_report(self._entries, self._say), encoding="utf-8", errors="replace")
