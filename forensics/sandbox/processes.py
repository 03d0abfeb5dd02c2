"""How decoding processes come about: as copies of one server process, which never had the secrets of this one."""

import contextlib
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from multiprocessing.context import BaseContext

# What Python, the libraries, the system's loader and a coverage measurement need; nothing else is handed on.
_HANDED_ON = re.compile(
    r"PATH|HOME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|USER|SYSTEMROOT|VIRTUAL_ENV|LD_LIBRARY_PATH|DYLD_\w+|"
    r"PYTHON\w*|COVERAGE_\w+|(OMP|OPENBLAS|MKL|VECLIB_MAXIMUM|NUMEXPR)_(NUM_)?THREADS"
)
# Two levels of parallelism fight over the cores; here the processes are the level that counts.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
_starting = threading.Lock()
_started_by: set[int] = set()


def process_context() -> BaseContext:
    """The context that decoding processes are started in; its server runs once this returns.

    Called early, before the program has threads, it costs nothing: the server's imports run beside the program's own.
    Not a fork of this process, because it has threads, which a fork would copy in whatever state they are.
    """
    if not _FORKSERVER:  # pragma: no cover - Windows
        return multiprocessing.get_context("spawn")
    from multiprocessing.forkserver import ensure_running

    context = multiprocessing.get_context("forkserver")
    with _starting:
        if os.getpid() not in _started_by:
            _started_by.add(os.getpid())
            context.set_forkserver_preload(["forensics.sandbox.preloaded"])
            with _environment(clean(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}):
                ensure_running()
    return context


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a decoding process gets."""
    return _ONE_THREAD | {name: value for name, value in environment.items() if _HANDED_ON.fullmatch(name)}


@contextlib.contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Have a process that is started inside inherit these variables alone."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
