"""What can be seen of a running worker from outside: progress, numbers, and the port where they are asked for."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog

from forensics.examine import Examined
from fusion.verdict import Verdict
from worker.observability.health import HealthServer, Reply
from worker.observability.progress import ProgressMonitor, progress_of
from worker.observability.telemetry import JobAnswered, Observer
from worker.settings import WorkerSettings
from worker.streams.stream import StreamNames

if TYPE_CHECKING:
    from worker.observability.metrics import Metrics
    from worker.streams.queue_state import QueueWatch

Conclude = Callable[[Sequence[Examined]], list[Verdict]]

_PAGE_FRESH_S = 1.0
_log = structlog.get_logger("worker.watch")


class Watch:
    """The hooks of a worker: with `metrics` they count, without them they only pass on.

    `progress` is that of each queue, by its job stream.
    """

    def __init__(self, progress: Mapping[str, ProgressMonitor], metrics: "Metrics | None" = None) -> None:
        self.progress = progress
        self._metrics = metrics

    def observing(self, observe: Observer) -> Observer:
        """The observer, with every event counted too."""
        metrics = self._metrics
        if metrics is None:
            return observe

        def both(event: JobAnswered) -> None:
            observe(event)
            metrics.answered(event)

        return both

    def concluding(self, conclude: Conclude) -> Conclude:
        """The engine's function, with every batch counted too."""
        metrics = self._metrics
        if metrics is None:
            return conclude

        def counted(examined: Sequence[Examined]) -> list[Verdict]:
            verdicts = conclude(examined)
            metrics.concluded(verdicts)
            return verdicts

        return counted


@contextlib.asynccontextmanager
async def watching(
    settings: WorkerSettings, redis_url: str, queues: Sequence[StreamNames], *, networks: bool
) -> AsyncIterator[Watch]:
    """The hooks for one run; `networks` says whether the engine has any to run.

    The port is open for the time of the context; StartError where it cannot be opened.
    """
    progress = {names.jobs: progress_of(settings, networks=networks) for names in queues}
    if not settings.worker_http_port:
        yield Watch(progress)
        return
    # Imported late: a worker nobody looks at needs none of it.
    from worker.observability.metrics import Metrics
    from worker.streams.queue_state import QueueWatch

    watches = {names.jobs: QueueWatch(redis_url, names) for names in queues}
    metrics = Metrics(
        lambda: sum(one.in_work for one in progress.values()),
        lambda: {stream: watch.state for stream, watch in watches.items()},
        lambda: not any(one.complaint() for one in progress.values()),
    )
    pages = _Pages(progress, metrics, list(watches.values()))
    server = HealthServer({"/livez": pages.live, "/readyz": pages.ready, "/metrics": pages.metrics})
    try:
        await server.start(settings.worker_http_host, settings.worker_http_port)
        _log.info("health and metrics", host=settings.worker_http_host, port=server.port)
        yield Watch(progress, metrics)
    finally:
        await server.close()
        await asyncio.gather(*(watch.close() for watch in watches.values()))


class _Pages:
    """The answers to the three paths."""

    def __init__(
        self, progress: Mapping[str, ProgressMonitor], metrics: "Metrics", watches: "Sequence[QueueWatch]"
    ) -> None:
        self._progress = progress
        self._metrics = metrics
        self._watches = watches
        self._page = b""
        self._made_at = float("-inf")

    async def live(self) -> Reply:
        return Reply(HTTPStatus.OK, b"alive\n")

    async def ready(self) -> Reply:
        complaints = {stream: told for stream, progress in self._progress.items() if (told := progress.complaint())}
        if complaints:
            several = len(self._progress) > 1
            lines = [f"{stream}: {told}\n" if several else f"{told}\n" for stream, told in complaints.items()]
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, "".join(lines).encode())
        return Reply(HTTPStatus.OK, b"ready\n")

    async def metrics(self) -> Reply:
        """The numbers; made at most once a second, so that scraping costs the worker nothing to speak of."""
        from worker.observability.metrics import CONTENT_TYPE

        await asyncio.gather(*(watch.refresh() for watch in self._watches))
        if time.monotonic() - self._made_at >= _PAGE_FRESH_S:
            self._page, self._made_at = self._metrics.page(), time.monotonic()
        return Reply(HTTPStatus.OK, self._page, CONTENT_TYPE)
