"""Processes that others were begun by: they end with these."""

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """End this process when the one that began it is killed and can no longer tell it to."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
