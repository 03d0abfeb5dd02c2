"""The whole light profile, once through real workers and once through the bare engine, on the same files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.image_rate import ImageRate, measure
from benchmarks.support.streams.bare_engine import bare_engine, finished
from benchmarks.support.streams.image_server import image_server
from benchmarks.support.streams.jobs import push, results
from benchmarks.support.streams.redis_server import PrivateRedis
from benchmarks.support.streams.workers import jobs_for, make_group, workers


@dataclass(frozen=True, slots=True)
class Light:
    """What both have in common: the files, how many decoding processes, batches of how many, and how many images."""

    folder: Path
    names: tuple[str, ...]
    processes: int
    batch: int
    images: int

    def through_workers(self, server: PrivateRedis, count: int, settings: Mapping[str, str]) -> ImageRate:
        """So many workers, from HTTP to results; all jobs are pushed once the workers are ready."""
        with image_server(self.folder) as place:
            make_group(server)
            with workers(count, server, place, {**self._settings(), **settings}) as running:
                push(server.client, jobs_for(place, self.names, self.images))
                return measure(lambda: results(server.client), self.images, running)

    def through_bare_engine(self, settings: Mapping[str, str]) -> ImageRate:
        """The same images without everything around."""
        with bare_engine(self.folder, self.processes, self.batch, self.images, **settings) as engine:
            return measure(lambda: finished(engine), self.images, [engine])

    def _settings(self) -> dict[str, str]:
        return {"WORKER_DECODE_PROCESSES": str(self.processes), "WORKER_BATCH_SIZE": str(self.batch)}
