"""The reports of Hugging Face's libraries kept from stderr, which workers and scripts leave to others."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent(library: str) -> Iterator[None]:
    """No warning of that library (transformers, diffusers) inside; what is wrong with a file is told by its error.

    Their reports name every tensor of a file that is over, as old checkpoints have some that mean nothing.
    """
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
