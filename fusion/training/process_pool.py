"""A pool of processes for work on images, one for each core, that end when the command that started them ends."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from img_ml.parent_watch import end_with_parent


def process_pool() -> ProcessPoolExecutor:
    """The pool; its processes end by themselves when this one is killed and can no longer tell them to."""
    # Two levels of parallelism fight over the cores; here the processes are the level that counts.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("forkserver"), initializer=end_with_parent)
