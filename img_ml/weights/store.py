"""The weights folder: what lies there, whether it is what the lock file lists, and how new files get in.

FOLDER/weights.lock.json   every file by SHA-256
FOLDER/NAME/...            the files of one record, in the layout that they are published in

What is packaged with img_ml lies in such a folder, too; it is taken where the user's own holds nothing of that name.
"""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from forensics.errors import WeightsError
from forensics.registry import Setup
from img_ml.weights.digest import file_sha256, known_sha256
from img_ml.weights.lock import LockedFile, LockedWeights, read_lock, write_lock
from img_ml.weights.record import WeightsRecord
from img_ml.weights.replaced import folder_in, keep
from img_ml.weights.table import find, needed, of

_log = logging.getLogger(__name__)
State = Literal["present", "missing", "changed", "packaged"]
PACKAGED = Path(__file__).parent.parent / "saved_models" / "weights"


@dataclass(frozen=True, slots=True)
class Installed:
    """Weights whose every file was checked. `digest` is the SHA-256 over the files' names and SHA-256."""

    record: WeightsRecord
    folder: Path
    digest: str
    files: Mapping[str, LockedFile] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """The path of one of its files."""
        return self.folder / name

    def data(self, name: str) -> bytes:
        """The bytes of one of its files, compared with the lock file once more; WeightsError where it was changed."""
        data = self.file(name).read_bytes()
        if hashlib.sha256(data).hexdigest() != self.files[name].sha256:
            raise WeightsError(
                f"{self.record.name}/{name} was changed since it was pulled: {pull_command(self.record)}"
            )
        return data


def installed_for(detector: str, setup: Setup) -> tuple[Installed, ...]:
    """The weights that a detector takes, checked; `setup.options["weights"]` may name one record instead.

    Raises WeightsError where something is missing or was changed.
    """
    wanted = setup.options.get("weights")
    records = needed(detector, setup.tier) if wanted is None else (find(wanted),)
    for record in records:
        if record not in of(detector) or record.optional:
            raise WeightsError(f"{record.name} are not weights of {detector}: name others in the profile's options.")
    if not records:
        raise WeightsError(f"The table lists no weights for {detector} in a profile of the size {setup.tier}.")
    return tuple(installed(record, setup.weights) for record in records)


def installed(record: WeightsRecord, weights: Path) -> Installed:
    """The weights of one record, every file read and compared with the lock file.

    Raises WeightsError, with what to do, where a file is missing or is not what was pulled.
    """
    state = state_of(record, weights)
    if state == "packaged":
        weights = PACKAGED
    locked = read_lock(weights).get(record.name)
    if locked is None or state == "missing":
        raise WeightsError(f"{record.name} is not installed: {pull_command(record)}")
    for problem in problems(record.name, locked, weights):
        raise WeightsError(f"{problem} since it was pulled: {pull_command(record)}")
    return Installed(record, weights / record.name, _digest(locked), locked.files)


def state_of(record: WeightsRecord, weights: Path) -> State:
    """Whether the files are there in the sizes of the lock file; their contents are not read.

    "packaged": the folder holds nothing of that name, and those that come with img_ml are taken.
    """
    own = _state_in(record, weights)
    if own == "missing" and not (weights / record.name).exists() and _state_in(record, PACKAGED) == "present":
        return "packaged"
    return own


def _state_in(record: WeightsRecord, weights: Path) -> State:
    locked = read_lock(weights).get(record.name)
    paths = [weights / record.name / file.name for file in record.files]
    if locked is None or not all(path.is_file() for path in paths):
        return "missing"
    sizes = {path.name: path.stat().st_size for path in paths}
    return "present" if sizes == {name: file.size for name, file in locked.files.items()} else "changed"


def problems(name: str, locked: LockedWeights, weights: Path) -> list[str]:
    """What is wrong with the files of that name, a sentence's beginning each; every byte is read (once a process)."""
    found = []
    for file_name, expected in locked.files.items():
        path = weights / name / file_name
        if not path.is_file():
            found.append(f"{name}/{file_name} is missing")
        elif known_sha256(path) != expected.sha256:
            found.append(f"{name}/{file_name} was changed")
    return found


def install(record: WeightsRecord, weights: Path, source: str, fill: Callable[[Path], str]) -> LockedWeights:
    """Put new files into the folder: all of them or none, and note them in the lock file.

    What they replace is kept (img_ml/weights/replaced.py) where it cannot be downloaded again. `fill` writes the
    record's files into the folder it is given and returns the revision. Raises WeightsError where a file is missing,
    or where one from the repository has another SHA-256 than the table, or than the lock file for the same revision.
    """
    weights.mkdir(parents=True, exist_ok=True)
    with _alone(weights):
        _clear_leftovers(record.name, weights)
        stage = Path(tempfile.mkdtemp(prefix=f".{record.name}-", dir=weights))
        try:
            revision = fill(stage)
            locked = LockedWeights(source, revision, _described(record, stage))
            _check_published(record, locked)
            before = read_lock(weights)
            _check_pinned(record, locked, before.get(record.name))
            # Some libraries write for their own user alone; a worker may run as another.
            stage.chmod(0o755)
            for path in stage.iterdir():
                path.chmod(path.stat().st_mode | 0o444)
            with _swapped(stage, weights / record.name) as old:
                write_lock(weights, {**before, record.name: locked})
                was = before.get(record.name)
                if was is not None and old.is_dir() and _differs(was, locked) and was.source != record.repository:
                    keep(record.name, was, old, weights)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return locked


@contextmanager
def _alone(weights: Path) -> Iterator[None]:
    """Nobody else writes to the folder; where somebody does, which may take as long as a download, it is said."""
    lock = FileLock(weights / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("Waiting for another process that writes to %s.", weights)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _clear_leftovers(name: str, weights: Path) -> None:
    """Take away what a killed process left; where it was between two moves, the old files come back first."""
    random = "?" * 8  # as tempfile.mkdtemp ends the names it makes
    for left in (*weights.glob(f".{name}-{random}"), *weights.glob(f".{name}-old-{random}")):
        if (left / name).is_dir() and not (weights / name).exists():
            (left / name).rename(weights / name)
        shutil.rmtree(left, ignore_errors=True)


def pull_command(record: WeightsRecord) -> str:
    """What a user types to get the weights."""
    made = f"python -m {record.made_by or f'img_ml.train {record.name} --dataset dataset.csv'}"
    if record.origin == "trained":
        return made
    pulled = f"python -m img_ml.weights pull {record.name}" + (" --from FILE" if record.origin == "local" else "")
    return f"{pulled} (or {made})" if record.made_by else pulled


def _described(record: WeightsRecord, stage: Path) -> dict[str, LockedFile]:
    found = {}
    for file in record.files:
        path = stage / file.name
        if not path.is_file():
            raise WeightsError(f"{record.name} lacks the file {file.name}.")
        found[file.name] = LockedFile(file_sha256(path), path.stat().st_size)
    return found


def _check_published(record: WeightsRecord, new: LockedWeights) -> None:
    """Raise WeightsError where a download is not what the table pins; what users adopt is their own affair."""
    for file in record.files:
        if new.source == record.repository and file.sha256 not in ("", new.files[file.name].sha256):
            raise WeightsError(f"{file.name} of {record.name} is not the published one: its SHA-256 differs.")


def _check_pinned(record: WeightsRecord, new: LockedWeights, old: LockedWeights | None) -> None:
    if old is None or not new.revision or (old.source, old.revision) != (new.source, new.revision):
        return
    for name, file in new.files.items():
        if name in old.files and old.files[name].sha256 != file.sha256:
            raise WeightsError(
                f"{name} of {record.name} is not what the lock file lists for the same revision: the Hugging Face "
                "cache may be damaged; clear this repository there and pull again."
            )


def restore(record: WeightsRecord, weights: Path) -> LockedWeights:
    """Bring back what was replaced last under the record's name; what lies there now takes its place.

    Raises WeightsError where nothing was replaced, or where it was changed since.
    """
    kept = folder_in(weights)
    locked = read_lock(kept).get(record.name)
    if locked is None:
        raise WeightsError(f"Nothing that {record.name} replaced is kept in {kept}.")
    for problem in problems(record.name, locked, kept):
        raise WeightsError(f"{problem} since it was replaced: it cannot be brought back.")

    def fill(stage: Path) -> str:
        shutil.copytree(kept / record.name, stage, dirs_exist_ok=True)
        return locked.revision

    return install(record, weights, locked.source, fill)


def _differs(old: LockedWeights, new: LockedWeights) -> bool:
    return dict(old.files) != dict(new.files)


@contextmanager
def _swapped(stage: Path, place: Path) -> Iterator[Path]:
    """Move the folder into its place; the old one is set aside first, for a folder cannot be replaced at once.

    Where the new one cannot be moved there, the old one comes back. Gives the path at which the old one, if there was
    one, lies until the end.
    """
    aside = Path(tempfile.mkdtemp(prefix=f".{place.name}-old-", dir=place.parent))
    try:
        if place.exists():
            place.rename(aside / place.name)
        try:
            stage.rename(place)
        except BaseException:
            if (aside / place.name).exists():
                (aside / place.name).rename(place)
            raise
        yield aside / place.name
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _digest(locked: LockedWeights) -> str:
    listed = "".join(f"{locked.files[name].sha256} {name}\n" for name in sorted(locked.files))
    return hashlib.sha256(listed.encode()).hexdigest()
