"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The optional folder of labelled images (corpus/ and originals/) that IMG_ML_TEST_DATA names."""
    folder = os.environ.get("IMG_ML_TEST_DATA")
    if not folder:
        pytest.skip("IMG_ML_TEST_DATA names no folder of labelled images")
    return Path(folder)
