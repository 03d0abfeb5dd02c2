"""A Redis that wants to know who is there: TLS, and a user who may do no more than a worker needs."""

import datetime
import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.worker import web as pages
from tests.worker.processes import JOBS, RESULTS, ROOT, WorkerProcess, push, results_of
from tests.worker.redis_server import RedisServer, embedded_executable, free_port, newer_executable
from tests.worker.test_callbacks import until_delivered


@pytest.fixture
def web() -> Iterator[pages.Web]:
    with pages.running_web() as server:
        server.pages["/1.jpg"] = pages.photo(1)
        yield server
