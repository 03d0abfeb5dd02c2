"""What every test may ask for."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from multiprocessing.util import get_temp_dir
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Threads of torch and of the linear algebra would fight over the cores with the other test process and with the
# processes that tests start. It is read when the libraries are loaded, so before any test module is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is slow for a second now and then; that says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks, sockets and whatever else the tests' processes leave among the temporary files is gone with the session.

    Not a folder of pytest's: the path of a Unix socket inside it would be too long on some systems.
    """
    tmp_path_factory.getbasetemp()  # stays where it belongs, to be looked into afterwards
    get_temp_dir()  # multiprocessing's own, which it removes when the process ends: later than this folder
    folder = tempfile.mkdtemp(prefix="t-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The optional folder of labelled images (corpus/ and originals/) that IMG_ML_TEST_DATA names."""
    folder = os.environ.get("IMG_ML_TEST_DATA")
    if not folder:
        pytest.skip("IMG_ML_TEST_DATA names no folder of labelled images")
    return Path(folder)
