"""A pool of processes for work on images, one for each core, that end when the command that started them ends."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def process_pool() -> ProcessPoolExecutor:
    """The pool; its processes end by themselves when this one is killed and can no longer tell them to."""
    # Two levels of parallelism fight over the cores; here the processes are the level that counts.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("forkserver"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
