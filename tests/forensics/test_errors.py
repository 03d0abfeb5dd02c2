"""The tree of errors: the drawing is the code, and every message is plain English."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import forensics.errors
from forensics.errors import ImgMlError

ROOT = Path(__file__).parents[2]
PACKAGES = ("forensics", "img_ml", "fusion", "worker", "scripts", "benchmarks")
# Calques that a native reader stumbles over, each with what to write.
# What log events and lines on the terminal are written with.
SPEAKERS = ("_log", "log", "logging", "talk", "console")
STILTED = {
    r"(?<!\bthere )\b(?:is|are|was|were) no(?!t\b| longer\b| more\b)\w*\b": "X is not a Y",
    r"\b(?:says|has|holds|gives|knows|needs) not\b": "does not ...",
    r"\bthere are no \w+ (?:needed|wanted)\b": "no ... are needed",
    r"\bneither is\b": "is not either",
    r"\b(?:describes|makes) no\b": "does not describe ...",
    r"\bis of (?:a|an) (?:training|older|newer)\b": "belongs to ...",
    r"\bto go by\b": "nothing to learn from",
    r"\bno (?:list|checkpoint|folder|file) of\b": "not a ...",
}


def drawn() -> dict[str, str]:
    """Each class of the drawing with its parent."""
    parents: dict[str, str] = {}
    branch: list[str] = []
    for line in (forensics.errors.__doc__ or "").splitlines():
        if match := re.match(r"^([│├└─ ]*)(\w+Error)\b", line):
            depth = len(match[1]) // 4
            branch[depth:] = [match[2]]
            if depth:
                parents[match[2]] = branch[depth - 1]
    return parents


def declared() -> dict[str, str]:
    """Each class of the packages' code with its parent."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error") and node.name != "ImgMlError":
                    found[node.name] = ast.unparse(node.bases[0])
    return {name: parent for name, parent in found.items() if parent != "Exception"}


def messages() -> Iterator[tuple[str, str, str]]:
    """Place, class and text of every message of the tree that is written in the code; {} where a value stands."""
    known = {"ImgMlError", *drawn()}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                kind = ast.unparse(node.func).split(".")[-1]
                if kind in known and (text := _text(node.args[0])):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", kind, text


def spoken() -> Iterator[tuple[str, str]]:
    """Place and text of every help text, log event, description of a setting and line on the terminal."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                told = [word.value for word in node.keywords if word.arg in ("help", "description")]
                owner, _, name = ast.unparse(node.func).rpartition(".")
                if name in ("print", "debug", "info", "warning", "error", "exception") and owner in SPEAKERS:
                    told += node.args[:1]
                yield from ((f"{path.relative_to(ROOT)}:{node.lineno}", text) for one in told if (text := _text(one)))


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return ""


def test_the_drawing_of_the_tree_is_the_code() -> None:
    assert drawn() == declared()


def test_every_error_is_importable_and_has_a_docstring() -> None:
    for package in ("forensics.errors", "worker.errors", "scripts.scoring.errors"):
        importlib.import_module(package)
    pending = [ImgMlError]
    while pending:
        kind = pending.pop()
        assert kind.__doc__, kind
        pending += [one for one in kind.__subclasses__() if one.__module__.split(".")[0] in PACKAGES]


@pytest.mark.parametrize(("pattern", "instead"), STILTED.items())
def test_no_message_uses_a_stilted_phrase(pattern: str, instead: str) -> None:
    found = [f"{place}: {text}" for place, _, text in messages() if re.search(pattern, text, re.IGNORECASE)]
    assert not found, f"write {instead!r}:\n" + "\n".join(found)


@pytest.mark.parametrize(("pattern", "instead"), STILTED.items())
def test_no_help_text_or_log_event_uses_a_stilted_phrase(pattern: str, instead: str) -> None:
    texts = list(spoken())
    assert len(texts) > 200
    found = [f"{place}: {text}" for place, text in texts if re.search(pattern, text, re.IGNORECASE)]
    assert not found, f"write {instead!r}:\n" + "\n".join(found)


def test_every_message_is_a_sentence() -> None:
    found = [
        f"{place}: {text}"
        for place, _, text in messages()
        if not re.match(r"[A-Z{\[-]|timm|git", text) or not re.search(r"[.?!})]$", text.rstrip())
    ]
    assert not found, "\n".join(found)


def test_the_rule_sees_a_stilted_message() -> None:
    assert any(re.search(pattern, "x.png is no image: name another.") for pattern in STILTED)
    assert not any(re.search(pattern, "There is no x.png: name a file.", re.IGNORECASE) for pattern in STILTED)
