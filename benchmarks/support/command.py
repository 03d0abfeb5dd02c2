"""What the benchmark commands share: errors told in a sentence, and a clean end when told to stop."""

import contextlib
import signal
from collections.abc import Iterator

from rich.console import Console

from img_ml.command import told_errors

talk = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def orderly() -> Iterator[None]:
    """Errors of the block are told; SIGTERM ends it like Ctrl-C, so that what it started is stopped."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        with told_errors(talk):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)
