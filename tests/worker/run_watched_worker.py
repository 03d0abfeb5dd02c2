"""`python -m tests.worker.run_watched_worker CONFIG`: a worker whose every connection is written down.

CONFIG is a JSON file: `log` (the file of connections), `port` (where both schemes lead, so that the address rules alone
decide), `names` (a name server: each host answers its lists of addresses in turn, the last one for ever).
"""

import json
import socket
import sys
from pathlib import Path

from tests.worker.doubles import PlainJudge
from worker.fetching import resolver as network
from worker.fetching import urls
from worker.launch import run_worker
from worker.observability.telemetry import configure_logging
from worker.settings import WorkerSettings, load


def watch_connections(log: Path) -> None:
    """Note every connection this process makes, below all libraries; those that would leave the machine are refused."""

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event != "socket.connect" or not isinstance(arguments[1], tuple):
            return
        host, port = arguments[1][:2]
        with log.open("a") as target:
            target.write(f"{host} {port}\n")
        if host not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError("kept inside the machine")

    sys.addaudithook(note)


def answer_names(names: dict[str, list[list[str]]]) -> None:
    """Be the name server of the worker's resolver for these hosts."""
    system = network._system_addresses

    def addresses(host: str, port: int) -> list[str]:
        if host.endswith(".test"):
            if host not in names:
                raise socket.gaierror("Name or service not known")
            return names[host].pop(0) if len(names[host]) > 1 else names[host][0]
        return system(host, port)

    network._system_addresses = addresses


if __name__ == "__main__":
    config = json.loads(Path(sys.argv[1]).read_text())
    urls._PORTS = {"http": config["port"], "https": config["port"]}
    answer_names(config["names"])
    watch_connections(Path(config["log"]))
    configure_logging()
    run_worker(load(WorkerSettings), PlainJudge)
