"""Where a training's figures go: TensorBoard, a file of JSON lines, or nowhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from forensics.errors import MissingPackageError

Kind = Literal["tensorboard", "jsonl", "none"]


class Tracker(Protocol):
    """Takes the figures of each check, which for SPAI is one an epoch."""

    def write(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Note the figures of that epoch."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class JsonLines:
    """One JSON object a line, in tracking.jsonl."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "tracking.jsonl"

    def write(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Append a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, **figures}) + "\n")

    def close(self) -> None:
        """Every line is written already."""


class TensorBoard:
    """Event files, which `tensorboard --logdir FOLDER` shows."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingPackageError(
                "TensorBoard is not installed: pip install tensorboard, or --opt TRACKING jsonl."
            ) from None
        self._writer = SummaryWriter(str(folder))

    def write(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Write the figures as scalars."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class NoTracker:
    """Forgets them."""

    def write(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def tracker(kind: Kind, folder: Path) -> Tracker:
    """The tracker of that kind, writing into the folder; MissingPackageError where it is not installed."""
    if kind == "tensorboard":
        return TensorBoard(folder)
    return JsonLines(folder) if kind == "jsonl" else NoTracker()
