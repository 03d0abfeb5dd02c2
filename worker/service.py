"""The worker put together from its settings and a judge, ready to run until it is told to stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from forensics.decode import DecodeLimits
from forensics.examine import Examined
from fusion.live import Refreshed
from fusion.verdict import Verdict
from worker.answer import Answerer, Stations
from worker.batcher import Batcher
from worker.callbacks import Deliverer, DeliveryRules
from worker.decode_pool import DecodePool, DecodeRules
from worker.fetch import Fetcher, FetchLimits
from worker.outbox import Outbox
from worker.pipeline import Pipeline, PipelineRules
from worker.poster import Poster, PostRules
from worker.reload import keep_fresh
from worker.settings import WorkerSettings
from worker.stream import JobStream, StreamNames
from worker.telemetry import Observer, log_answer
from worker.watch import Watch, watching

_log = structlog.get_logger("worker")


class JudgeLike(Protocol):
    """What the worker needs of fusion.judge.Judge."""

    @property
    def analyzers(self) -> tuple[str, ...]:
        """The analyzers to run over each image."""
        ...

    @property
    def needs_pixels(self) -> bool:
        """Whether `conclude` wants the samples too."""
        ...

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict per image, in order; called in one thread."""
        ...

    def refresh(self, *, force: bool = False) -> Refreshed:
        """Take another artifact where one is in force; called in any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What differs from run to run: where Redis is, this worker's name there, and what ends or refreshes the run."""

    redis_url: str
    consumer: str
    stop: asyncio.Event
    hurry: asyncio.Event
    reload: asyncio.Event
    stop_when_idle_s: float | None = None
    trust_anchors: str | None = None
    observe: Observer = log_answer


async def serve(settings: WorkerSettings, judge: JudgeLike, around: Surroundings) -> bool:
    """Work until told to stop; False where jobs had to be handed back or the engine was still busy."""
    names = StreamNames(
        settings.worker_stream,
        settings.worker_results,
        settings.worker_group,
        around.consumer,
        settings.worker_results_maxlen,
    )
    async with watching(settings, around.redis_url, names) as watch:
        return await _serve(settings, judge, around, names, watch)


async def _serve(
    settings: WorkerSettings, judge: JudgeLike, around: Surroundings, names: StreamNames, watch: Watch
) -> bool:
    stream = JobStream(around.redis_url, names, block_ms=settings.redis_check_rate, lease_s=settings.worker_lease_s)
    conclude = watch.concluding(judge.conclude)
    batcher = Batcher(conclude, size=settings.worker_batch_size, wait_s=settings.worker_batch_wait_ms / 1000)
    async with _stations(settings, judge, batcher, around.trust_anchors) as stations:
        # Enough decoded images for the batch in the engine, the next one, and those being decoded; no more.
        answerer = Answerer(stations, benches=2 * settings.worker_batch_size + settings.decode_processes)
        fresh = asyncio.create_task(keep_fresh(judge.refresh, around.reload, settings.worker_artifact_check_s))
        _log.info("worker is ready", jobs=names.jobs, group=names.group, consumer=names.consumer)
        try:
            rules, observe = _rules(settings, around.stop_when_idle_s), watch.observing(around.observe)
            async with _delivering(settings, around, stream):
                pipeline = Pipeline(stream, answerer, rules, observe, watch.progress)
                clean = await pipeline.run(around.stop, around.hurry)
        finally:
            fresh.cancel()
            await asyncio.gather(fresh, return_exceptions=True)
            await stream.close()
            engine_is_done = await batcher.close()
    _log.info("worker has stopped", clean=clean and engine_is_done)
    return clean and engine_is_done


@contextlib.asynccontextmanager
async def _stations(
    settings: WorkerSettings, judge: JudgeLike, batcher: Batcher, trust_anchors: str | None
) -> AsyncIterator[Stations]:
    """The stations of the road, with the fetcher's connections and the decoding processes behind them."""
    fetcher = Fetcher(
        FetchLimits(
            settings.fetch_max_bytes,
            settings.fetch_timeout_s,
            settings.fetch_attempts,
            frozenset(settings.fetch_allow),
        ),
        connections=settings.worker_in_flight,
    )
    pool = DecodePool(
        DecodeRules(
            settings.decode_processes,
            settings.worker_decode_timeout_s,
            settings.worker_decode_memory_mb,
            DecodeLimits(settings.fetch_max_pixels),
            trust_anchors,
        )
    )
    pool.warm()
    analyzers, needs_pixels = judge.analyzers, judge.needs_pixels
    try:
        yield Stations(
            fetch=fetcher.fetch,
            examine=lambda data: pool.examine(data, analyzers, needs_pixels),
            conclude=batcher.conclude,
        )
    finally:
        await fetcher.close()
        await asyncio.to_thread(pool.close)


@contextlib.asynccontextmanager
async def _delivering(settings: WorkerSettings, around: Surroundings, stream: JobStream) -> AsyncIterator[None]:
    """Callbacks are delivered beside whatever runs inside; when it ends, those being posted are finished."""
    secret = settings.callback_secret.get_secret_value() if settings.callback_secret else None
    allowed = frozenset(settings.fetch_allow)
    poster = Poster(PostRules(settings.callback_timeout_s, secret, allowed), connections=settings.callback_concurrency)
    outbox = Outbox(around.redis_url, stream.names, lease_s=settings.worker_lease_s)
    deliverer = Deliverer(outbox, poster.post, _delivery_rules(settings), stream.callbacks_written)
    delivering = asyncio.create_task(deliverer.run(around.stop, around.hurry))
    try:
        yield
    finally:
        around.stop.set()  # a pipeline may also have ended by itself
        await delivering
        await poster.close()
        await outbox.close()


def _delivery_rules(settings: WorkerSettings) -> DeliveryRules:
    return DeliveryRules(
        settings.callback_concurrency,
        settings.callback_max_attempts,
        settings.callback_retry_s,
        settings.worker_lease_s,
        settings.worker_drain_s,
    )


def _rules(settings: WorkerSettings, stop_when_idle_s: float | None) -> PipelineRules:
    return PipelineRules(
        settings.worker_in_flight,
        settings.worker_lease_s,
        settings.worker_max_deliveries,
        settings.worker_drain_s,
        stop_when_idle_s,
        settings.worker_retries,
        settings.worker_retry_delay_s,
    )
