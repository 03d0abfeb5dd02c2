"""What decoding processes are copies of: a process that has imported what decoding needs, and heeds no signal.

A service manager or a terminal signals the whole group; the one who asked for decoding finishes its work first, and
needs these processes for that. They end with it.
"""

import signal

import forensics.examine
import forensics.reading.decode  # noqa: F401 - imported once here, so that every copy has it

for _name in ("SIGTERM", "SIGHUP"):
    if hasattr(signal, _name):
        signal.signal(getattr(signal, _name), signal.SIG_IGN)
