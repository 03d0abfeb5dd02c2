"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow for a second now and then; that says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The optional folder of labelled images (corpus/ and originals/) that IMG_ML_TEST_DATA names."""
    folder = os.environ.get("IMG_ML_TEST_DATA")
    if not folder:
        pytest.skip("IMG_ML_TEST_DATA names no folder of labelled images")
    return Path(folder)
