"""The rooms of the code: a line for each folder, from the first line of what lies in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("forensics", "img_ml", "fusion", "worker", "scripts", "benchmarks")
_DEEPEST = 3


def rooms(root: Path) -> str:
    """A text tree of every package with its folders; each with the first line of its docstring."""
    return "\n".join(line for package in PACKAGES for line in _lines(root / package, 0))


def _lines(folder: Path, depth: int) -> Iterator[str]:
    if not (folder / "__init__.py").is_file():
        return
    name = "  " * depth + folder.name + "/"
    yield f"{name:<22} {first_line(folder / '__init__.py')}"
    if depth + 1 < _DEEPEST:
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _lines(inner, depth + 1)


def first_line(module: Path) -> str:
    """The first line of a module's docstring; ValueError where it has none."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{module} has no docstring: say in its first line what it holds.")
    return text.splitlines()[0]
