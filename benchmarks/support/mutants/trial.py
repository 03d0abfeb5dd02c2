"""The tests of a file, run against a change of it in a fork of this process, which has loaded the large libraries."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from types import ModuleType

from benchmarks.support.mutants.mutant import Mutant

TESTS = {
    "forensics/crops.py": ("tests/forensics/test_crops.py",),
    "fusion/calibration.py": ("tests/fusion/test_calibration.py",),
    "fusion/reasons.py": ("tests/fusion/test_reasons.py",),
    "fusion/evaluation/metrics.py": ("tests/fusion/evaluation/test_metrics.py",),
    "img_ml/data/bootstrap.py": ("tests/fusion/evaluation/test_metrics.py",),
    "fusion/training/fit.py": ("tests/fusion/training/test_fit.py",),
    "img_ml/train/classifying.py": ("tests/img_ml/train/test_loop.py",),
    "img_ml/train/loop.py": ("tests/img_ml/train/test_loop.py",),
}
_LIBRARIES = ("torch", "xgboost", "sklearn.linear_model", "sklearn.svm", "hypothesis", "joblib", "PIL.Image", "rich")
# Hypothesis is a plugin, too, and loaded before pytest looks for plugins.
_OPTIONS = (
    "-x",
    "-q",
    "-p",
    "no:randomly",
    "-p",
    "no:cacheprovider",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)


def load_libraries() -> None:
    """Load what every trial needs, and nothing of ours, so that each fork loads the changed file."""
    # Torch's threads do not live on in a fork, so none may be started.
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in (*_LIBRARIES, "pytest"):
        importlib.import_module(name)


def survives(mutant: Mutant, timeout: float) -> bool:
    """Whether all tests of the file pass with the change; False, too, where they take longer than `timeout` seconds."""
    child = os.fork()
    if not child:
        os._exit(_tried(mutant))
    ends = time.monotonic() + timeout
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def _tried(mutant: Mutant) -> int:
    """The exit code of the tests, in the fork."""
    import pytest

    # A group of its own, without a terminal to write to.
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(quiet, number)
    sys.meta_path.insert(0, _Changed(mutant))
    try:
        return int(pytest.main([*_OPTIONS, *TESTS[mutant.file]]))
    except BaseException:  # noqa: BLE001 - the fork must end here, whatever the change has done
        return 1


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives the changed text where its module is imported."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._module = mutant.file.removesuffix(".py").replace("/", ".")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's place, for the changed one only."""
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._mutant.file, loader=self)

    def get_source(self, fullname: str) -> str:
        """The changed text."""
        return self._mutant.text
