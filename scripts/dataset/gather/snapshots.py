"""Local clones read without a work tree: where a repository lies, the files of its HEAD, and their bytes."""

import os
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from forensics.errors import DatasetError, UsageError
from scripts.dataset.inventory import MOST_BYTES

_CHUNK = 2**20
_FILES = (b"100644", b"100755")
# Nothing of a stranger's repository may reach for the network, and no setting of this machine may change the reading.
_SURROUNDINGS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a commit: its object's name, and its path, where bytes that are not UTF-8 are escaped."""

    name: str
    path: str


def find_clone(snapshots: Path, repository: str, all_repositories: Collection[str]) -> Path | None:
    """The git directory of "owner/name" below a folder of clones, bare or not; None where there is none.

    Looked for as `owner+name` and `owner/name`, where it may be the only folder inside too, and, where no other of
    `all_repositories` has that name, as `name`; each with the ending .git as well.
    """
    owner, _, name = repository.partition("/")
    for place in (f"{owner}+{name}", f"{owner}+{name}.git", repository, f"{repository}.git"):
        if found := _git_directory(snapshots / place) or _only_one_inside(snapshots / place):
            return found
    if sum(other.partition("/")[2].lower() == name.lower() for other in {*all_repositories}) > 1:
        return None
    return _git_directory(snapshots / name) or _git_directory(snapshots / f"{name}.git")


def _only_one_inside(folder: Path) -> Path | None:
    inside = [inner for inner in folder.iterdir() if inner.is_dir()] if folder.is_dir() else []
    return _git_directory(inside[0]) if len(inside) == 1 else None


def _git_directory(folder: Path) -> Path | None:
    if (folder / ".git").exists():
        return folder / ".git"
    return folder if (folder / "HEAD").is_file() and (folder / "objects").is_dir() else None


def head_of(clone: Path) -> str:
    """The name of the commit at HEAD. Raises DatasetError where there is none."""
    return _git(clone, "rev-parse", "--verify", "HEAD^{commit}").decode().strip()


def files_of(clone: Path, commit: str) -> list[Blob]:
    """The regular files of a commit; links and submodules are passed over. Raises DatasetError."""
    listed = _git(clone, "ls-tree", "-r", "-z", commit)
    entries = [entry.partition(b"\t") for entry in listed.split(b"\0") if entry]
    return [
        Blob(facts.split()[2].decode(), os.fsdecode(path))
        for facts, _, path in entries
        if facts.split()[0] in _FILES and facts.split()[1] == b"blob"
    ]


def _git(clone: Path, *arguments: str) -> bytes:
    command = ["git", f"--git-dir={clone}", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=_environment())
    except FileNotFoundError:
        raise UsageError("git is not installed: install it.") from None
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise DatasetError(f"git cannot read {clone}: {told[0]}")
    return done.stdout


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**inherited, **_SURROUNDINGS}


@dataclass(slots=True)
class BlobReader:
    """The bytes of a clone's objects, by one `git cat-file --batch` that is started again where it dies."""

    clone: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def read(self, blob: Blob) -> bytes | None:
        """The object's bytes; None where the clone lacks it, or b"" where it is larger than MOST_BYTES."""
        asked, answers = self._pipes()
        try:
            asked.write(f"{blob.name}\n".encode())
            asked.flush()
            header = answers.readline().split()
            if len(header) != 3:
                if not header:
                    self._end()
                return None
            return self._content(answers, int(header[2]))
        except (BrokenPipeError, EOFError):
            self._end()
            return None

    def _content(self, answers: IO[bytes], size: int) -> bytes:
        kept = list(_chunks(answers, size)) if size <= MOST_BYTES else []
        if size > MOST_BYTES:
            for _ in _chunks(answers, size):
                pass
        answers.read(1)
        return b"".join(kept)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            command = ["git", f"--git-dir={self.clone}", "cat-file", "--batch"]
            self._process = subprocess.Popen(
                command,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("cat-file was started without pipes")
        return self._process.stdin, self._process.stdout

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)
        process.wait()


def _chunks(answers: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        some = answers.read(min(size, _CHUNK))
        if not some:
            raise EOFError
        size -= len(some)
        yield some


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return
