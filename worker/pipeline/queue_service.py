"""The serving of one queue: its jobs are answered and its callbacks delivered, until the worker is told to stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from worker.callbacks.client import CallbackClient
from worker.callbacks.delivery import Deliverer, DeliveryRules
from worker.observability.telemetry import Observer, log_answer
from worker.observability.watch import Watch
from worker.pipeline.pipeline import IdleTracker, Pipeline, PipelineRules
from worker.pipeline.processing import JobProcessor
from worker.pipeline.quarantine import Quarantine
from worker.settings import WorkerSettings
from worker.streams.outbox import Outbox
from worker.streams.stream import JobStream, StreamNames


@dataclass(frozen=True, slots=True)
class RunContext:
    """What differs from run to run: where Redis is, this worker's name there, and what ends or refreshes the run."""

    redis_url: str
    consumer: str
    stop: asyncio.Event
    hurry: asyncio.Event
    reload: asyncio.Event
    stop_when_idle_s: float | None = None
    trust_anchors: str | None = None
    observe: Observer = log_answer


@dataclass(frozen=True, slots=True)
class QueueService:
    """What the queues of one worker share; `idle_tracker` sets `context.stop` once all of them are idle."""

    settings: WorkerSettings
    context: RunContext
    processor: JobProcessor
    callback_client: CallbackClient
    watch: Watch
    idle_tracker: IdleTracker
    quarantine: Quarantine = field(default_factory=Quarantine)

    async def serve(self, names: StreamNames) -> bool:
        """Work on one queue until told to stop; whether it ended clean."""
        stream = JobStream(
            self.context.redis_url,
            names,
            block_ms=self.settings.redis_check_rate,
            lease_s=self.settings.worker_lease_s,
            once_s=self.settings.worker_once_s,
            max_deliveries=self.settings.worker_max_deliveries,
        )
        rules = _pipeline_rules(self.settings, names.jobs, self.context.stop_when_idle_s)
        observe, progress = self.watch.observing(self.context.observe), self.watch.progress[names.jobs]
        try:
            async with self._delivering(stream):
                pipeline = Pipeline(
                    stream, self.processor, rules, observe, progress, self.idle_tracker, self.quarantine
                )
                return await pipeline.run(self.context.stop, self.context.hurry)
        finally:
            await stream.close()

    @contextlib.asynccontextmanager
    async def _delivering(self, stream: JobStream) -> AsyncIterator[None]:
        """Callbacks are delivered beside whatever runs inside; when it ends, those being posted are finished."""
        outbox = Outbox(self.context.redis_url, stream.names, lease_s=self.settings.worker_lease_s)
        rules = _delivery_rules(self.settings, stream.names.jobs)
        deliverer = Deliverer(outbox, self.callback_client.post, rules, stream.callbacks_written)
        delivering = asyncio.create_task(deliverer.run(self.context.stop, self.context.hurry))
        try:
            yield
        finally:
            self.context.stop.set()  # a pipeline that failed ends the worker, too
            await delivering
            await outbox.close()


def _delivery_rules(settings: WorkerSettings, jobs: str) -> DeliveryRules:
    return DeliveryRules(
        settings.share(settings.callback_concurrency, jobs),
        settings.callback_max_attempts,
        settings.callback_retry_s,
        settings.worker_lease_s,
        settings.worker_drain_s,
    )


def _pipeline_rules(settings: WorkerSettings, jobs: str, stop_when_idle_s: float | None) -> PipelineRules:
    return PipelineRules(
        settings.share(settings.worker_in_flight, jobs),
        settings.worker_lease_s,
        settings.worker_max_deliveries,
        settings.worker_drain_s,
        stop_when_idle_s,
        settings.worker_retries,
        settings.worker_retry_delay_s,
        settings.callback_format == "cloudevents",
    )
