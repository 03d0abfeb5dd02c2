"""Small git repositories for the tests of what reads clones."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

AUTHOR = {
    "GIT_AUTHOR_NAME": "A Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "A Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    """What git says, run in a folder."""
    environment = {**os.environ, **AUTHOR}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def repository(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A repository with a work tree and one commit of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return commit(folder, files)


def commit(folder: Path, files: Mapping[str, bytes]) -> Path:
    """One more commit."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=files")
    return folder


def bare(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The same as a bare repository."""
    work_tree = repository(folder.with_name(f"{folder.name}-made"), files)
    git(folder.parent, "clone", "--quiet", "--bare", str(work_tree), str(folder))
    shutil.rmtree(work_tree)
    return folder


def object_of(clone: Path, path: str) -> Path:
    """The file of the loose object that holds a path of HEAD."""
    name = git(clone, "rev-parse", f"HEAD:{path}").strip()
    return clone / ".git" / "objects" / name[:2] / name[2:]
