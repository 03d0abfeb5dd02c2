"""One change to one file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """The file, what is changed in words, and the file's whole text after it."""

    file: str
    title: str
    text: str

    @property
    def line(self) -> int:
        """The first line that differs, counted from 1."""
        before = Path(self.file).read_text(encoding="utf-8").splitlines()
        pairs = zip(before, self.text.splitlines(), strict=False)
        return next((number for number, (old, new) in enumerate(pairs, start=1) if old != new), len(before))


def replaced(file: str, title: str, old: str, new: str) -> Mutant:
    """The change that writes `new` for `old`, which must stand in the file exactly once."""
    text = Path(file).read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{file} holds {old!r} {text.count(old)} times, not once: mend the change {title!r}.")
    return Mutant(file, title, text.replace(old, new))
