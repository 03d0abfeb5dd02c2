"""Real worker processes at work on the benchmark's Redis and image server."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.support.processes import Running, running
from benchmarks.support.streams.constant import GROUP, JOBS
from benchmarks.support.streams.redis_server import PrivateRedis

MODULE = "worker"
_READY = "worker is ready"


def jobs_for(place: str, names: Sequence[str], count: int) -> Iterator[str]:
    """The JSON of so many jobs that name the images of a server in turn."""
    for number in range(count):
        url = f"http://{place}/{names[number % len(names)]}"
        yield json.dumps({"jobId": f"job-{number:08d}", "clientId": "benchmark", "image_url": url})


@contextlib.contextmanager
def workers(
    count: int, server: PrivateRedis, place: str, settings: Mapping[str, str], module: str = MODULE
) -> Iterator[list[Running]]:
    """So many workers for the time of the block, all ready."""
    given = {"REDIS_URL": server.url, "FETCH_ALLOW": place, **settings}
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(running([sys.executable, "-m", module], **given)) for _ in range(count)]
        yield [one.until_said(_READY) for one in started]


def make_group(server: PrivateRedis) -> None:
    """Empty the server and make the group, so that nothing of an earlier run is left."""
    server.client.flushall()
    server.client.xgroup_create(JOBS, GROUP, id="0", mkstream=True)
