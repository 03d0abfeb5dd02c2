"""stdout and stderr as the commands need them: UTF-8 whatever the code page says."""

import contextlib
import io
import sys


def write_utf8() -> None:
    """Write UTF-8 on stdout and stderr; what is no text (a file name in another encoding) is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(io.UnsupportedOperation):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
