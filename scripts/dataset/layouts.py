"""What the folders and the name of an image say: label, split, generator, source."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# These name a class wherever they stand.
_CLASS_WORDS = {
    **dict.fromkeys(("real", "authentic"), 0),
    **dict.fromkeys(("ai", "fake", "generated", "synthetic"), 1),
}
# These name a class as a whole folder name, but may only be the subject inside a longer one (`human_faces`).
_SUBJECT_WORDS = dict.fromkeys(("nature", "natural", "human"), 0)
_FOLDER_NAMES = {**_CLASS_WORDS, **_SUBJECT_WORDS, "0_real": 0, "human_art": 0, "1_fake": 1}
_NEGATIONS = {"non", "not", "no"}
# Words of a folder name that tell neither a generator nor a source.
_FILLERS = {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "data", "dataset", "set", "art"}
# Models whose names begin with a class word.
_MODEL_NAMES = re.compile(r"real[-_ ]?(esrgan|cugan|sr|vis|dream)\w*", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What a path tells; `label` None and `split` "" where it tells nothing.

    `source` joins the folders that are neither split nor label, or is the root's name; `generator` is the nearest of
    those folders for AI images.
    """

    label: int | None
    split: str
    source: str
    generator: str


def read_layout(root: Path, path: Path, label_map: Mapping[str, int]) -> PathFacts:
    """The reading of an image at or below `root`; of the root itself only its name counts, its parents never.

    `label_map` gives labels by lower-case folder name and goes before every word known here.
    """
    name = root_name(root)
    folders = path.relative_to(root).parts[:-1]
    label = _label(name, folders, path.stem, label_map)
    telling = [folder for folder in folders if _is_informative(folder)]
    source = "/".join(telling) or name
    generator = telling[-1] if telling and label == 1 else ""
    return PathFacts(label, _split((name, *folders)), source, generator)


def root_name(root: Path) -> str:
    """The name of a folder, also where it is given as `.` or `..`."""
    return root.name if root.name not in ("", "..") else root.resolve().name


def _label(root: str, folders: Sequence[str], stem: str, label_map: Mapping[str, int]) -> int | None:
    """The first of these that decides, each from the deepest folder up.

    The map; folders that are called by a class and nothing else; folders with a class word in their name, which may
    be a dataset's (`real/AI-Art-Collection`); the root; vaguer words; the file name.
    """
    mapped = [label_map.get(name.lower()) for name in reversed((root, *folders))]
    upwards = folders[::-1]
    opinions = [
        *mapped,
        *(_FOLDER_NAMES.get(folder.lower()) for folder in upwards),
        *(_class_by_tokens(folder, _CLASS_WORDS) for folder in upwards),
        _FOLDER_NAMES.get(root.lower()),
        *(_class_by_tokens(folder, {**_CLASS_WORDS, **_SUBJECT_WORDS}) for folder in upwards),
        _class_of(root),
        _class_of_file(stem),
    ]
    return next((opinion for opinion in opinions if opinion is not None), None)


def _class_of(folder: str) -> int | None:
    exact = _FOLDER_NAMES.get(folder.lower())
    return _class_by_tokens(folder, _CLASS_WORDS) if exact is None else exact


def _class_by_tokens(name: str, words: Mapping[str, int]) -> int | None:
    """The class all class words of a name agree on; a negation turns the word after it round."""
    said = set()
    tokens = _tokens(_MODEL_NAMES.sub(" ", name))
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token in words:
            said.add(1 - words[token] if before in _NEGATIONS else words[token])
        elif _bare(token) in words:
            said.add(1 - words[_bare(token)])
    return said.pop() if len(said) == 1 else None


def _class_of_file(stem: str) -> int | None:
    """The class that the first word of a file name says (`fake_001`, `non-ai 3`)."""
    words = re.findall(r"[a-z]+", stem.lower())
    return _class_by_tokens(" ".join(words[: 2 if words[:1] and words[0] in _NEGATIONS else 1]), _CLASS_WORDS)


def _split(names: Sequence[str]) -> str:
    """The split that the deepest folder says."""
    return next((split for name in reversed(names) if (split := _split_of(name))), "")


def _split_of(name: str) -> str:
    """The split a folder says, by its whole name or beside nothing but class words, fillers and numbers."""
    tokens = [t for t in _tokens(name) if not (t.isdigit() or t in _FILLERS or _is_class_token(t))]
    return _SPLIT_WORDS.get(tokens[0], "") if len(tokens) == 1 else ""


def _is_informative(folder: str) -> bool:
    told = any(not (_is_class_token(t) or t in _FILLERS or t in ("0", "1")) for t in _tokens(folder))
    return told and not _split_of(folder)


def _is_class_token(token: str) -> bool:
    return (
        token in _FOLDER_NAMES or token in _NEGATIONS or token.removeprefix("non").removeprefix("not") in _CLASS_WORDS
    )


def _bare(token: str) -> str:
    """The word without a negation grown onto it (`nonai`)."""
    return token.removeprefix("non").removeprefix("not")


def _tokens(name: str) -> list[str]:
    """Lower-case words and numbers of a name; CamelCase is taken apart."""
    return [token.lower() for token in _TOKEN.findall(name)]
