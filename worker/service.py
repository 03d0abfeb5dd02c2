"""The worker put together from its settings and a judge, ready to run until it is told to stop."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence

import structlog

from forensics.provenance.trust import official_anchors
from fusion.interface import ReloadableJudge
from worker.callbacks.client import CallbackClient, CallbackClientRules
from worker.fetching.fetch import Fetcher, FetchLimits
from worker.fetching.uploads import UploadFetcher
from worker.observability.watch import Watch, watching
from worker.pipeline.batcher import Batcher
from worker.pipeline.decode_pool import DecodePool
from worker.pipeline.drawing import MapDrawer
from worker.pipeline.pipeline import IdleTracker
from worker.pipeline.processing import JobProcessor, Stages
from worker.pipeline.queue_service import QueueService, RunContext
from worker.reload import reload_periodically
from worker.settings import WorkerSettings
from worker.signatures import signing
from worker.streams.connections import connect
from worker.streams.maps import MapStore
from worker.streams.queues import queues_of
from worker.streams.stream import StreamNames
from worker.streams.verdict_cache import Cache, NoCache, VerdictCache
from worker.tasks import end

_log = structlog.get_logger("worker")


async def serve(settings: WorkerSettings, judge: ReloadableJudge, context: RunContext) -> bool:
    """Work until told to stop; False where jobs had to be handed back or the engine was still busy."""
    queues = queues_of(settings, context.consumer)
    async with watching(settings, context.redis_url, queues, networks=judge.needs_pixels) as watch:
        return await _serve(settings, judge, context, queues, watch)


async def _serve(
    settings: WorkerSettings, judge: ReloadableJudge, context: RunContext, queues: Sequence[StreamNames], watch: Watch
) -> bool:
    conclude = watch.concluding(judge.conclude)
    batcher = Batcher(conclude, size=settings.worker_batch_size, wait_s=settings.worker_batch_wait_ms / 1000)
    async with (
        _stages(settings, judge, batcher, context, queues[0]) as stages,
        _cache(settings, judge, context, queues[0]) as cache,
    ):
        # Enough decoded images for the batch in the engine, the next one, and those being decoded; no more.
        processor = JobProcessor(stages, 2 * settings.worker_batch_size + settings.decode_processes, cache)
        fresh = asyncio.create_task(
            reload_periodically(judge.refresh, context.reload, settings.worker_artifact_check_s)
        )
        try:
            clean = await _serve_queues(settings, processor, context, queues, watch)
        finally:
            await end(fresh)
            engine_is_done = await batcher.close()
    _log.info("worker stopped", clean=clean and engine_is_done)
    return clean and engine_is_done


async def _serve_queues(
    settings: WorkerSettings, processor: JobProcessor, context: RunContext, queues: Sequence[StreamNames], watch: Watch
) -> bool:
    """Work on every queue at once until told to stop; whether all of them ended clean."""
    secret = settings.callback_secret.get_secret_value() if settings.callback_secret else None
    allowed = frozenset(settings.callback_allow)
    sign = signing(secret, settings.callback_signature)
    callback_client = CallbackClient(
        CallbackClientRules(settings.callback_timeout_s, sign, allowed), connections=settings.callback_concurrency
    )
    idle_tracker = IdleTracker(len(queues), context.stop.set)
    service = QueueService(settings, context, processor, callback_client, watch, idle_tracker)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(service.serve(names)) for names in queues]
    finally:
        await callback_client.close()
    return all(task.result() for task in running)


@contextlib.asynccontextmanager
async def _cache(
    settings: WorkerSettings, judge: ReloadableJudge, context: RunContext, names: StreamNames
) -> AsyncIterator[Cache]:
    """Where verdicts are remembered, as the settings say; one place for all queues."""
    if not settings.worker_verdict_cache_s:
        yield NoCache()
        return
    trusted = hashlib.sha256((official_anchors() + (context.trust_anchors or "")).encode()).hexdigest()[:8]
    cache = VerdictCache(
        context.redis_url,
        f"{names.jobs}:verdicts",
        configuration=f"{judge.configuration}-{trusted}",
        fingerprint=lambda: judge.fingerprint,
        keep_s=settings.worker_verdict_cache_s,
    )
    try:
        yield cache
    finally:
        await cache.close()


@contextlib.asynccontextmanager
async def _stages(
    settings: WorkerSettings, judge: ReloadableJudge, batcher: Batcher, context: RunContext, names: StreamNames
) -> AsyncIterator[Stages]:
    """The stations of the road, with the fetcher's connections and the decoding processes behind them."""
    fetcher = Fetcher(
        FetchLimits(
            settings.fetch_max_bytes,
            settings.fetch_timeout_s,
            settings.fetch_attempts,
            frozenset(settings.fetch_allow),
            settings.fetch_user_agent,
            settings.per_host,
        ),
        connections=settings.worker_in_flight,
    )
    uploads = UploadFetcher(context.redis_url, names.jobs, settings.fetch_max_bytes, fetcher.fetch)
    pool = DecodePool(settings.sandbox_rules(context.trust_anchors, as_published=judge.as_published))
    pool.warm()
    maps = MapStore(connect(context.redis_url), names.jobs)
    analyzers, needs_pixels = judge.analyzers, judge.needs_pixels
    try:
        yield Stages(
            fetch=uploads.fetch,
            examine=lambda data: pool.examine(data, analyzers, needs_pixels),
            conclude=batcher.conclude,
            draw=MapDrawer(judge, batcher, maps).draw,
        )
    finally:
        await uploads.close()
        await maps.close()
        await fetcher.close()
        await asyncio.to_thread(pool.close)
