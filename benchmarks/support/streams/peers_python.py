"""The Python of an environment that has the other task queues."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.support.processes import BenchmarkError

REQUIREMENTS = Path(__file__).parents[2] / "peers" / "requirements.txt"
_VERSIONS = """
import importlib.metadata as m
for name in ("dramatiq", "taskiq", "taskiq-redis", "celery", "streaq", "redis"):
    print(name, m.version(name))
"""


@contextlib.contextmanager
def peers_python(given: Path | None, talk: Console) -> Iterator[str]:
    """The given one, or one of a fresh environment for the time of the block."""
    if given is not None:
        yield str(given)
        return
    with TemporaryDirectory() as folder:
        talk.print("Installing dramatiq, taskiq, celery and Streaq (give --peers-python to skip this)")
        _run(sys.executable, "-m", "venv", folder)
        python = str(Path(folder) / "bin" / "python")
        _run(python, "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS))
        yield python


def versions(python: str) -> dict[str, str]:
    """What is installed there."""
    return dict(line.split() for line in _run(python, "-c", _VERSIONS).splitlines())


def _run(*command: str) -> str:
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        raise BenchmarkError(f"{' '.join(command[1:4])} failed: {told.stderr[-2000:]}")
    return told.stdout
