"""The worker put together from its settings and a judge, ready to run until it is told to stop."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence

import structlog

from forensics.provenance.trust import official_anchors
from forensics.reading.decode import DecodeLimits
from fusion.interface import ReloadableJudge
from worker.callbacks.client import Poster, PostRules
from worker.fetching.fetch import Fetcher, FetchLimits
from worker.fetching.uploads import UploadFetcher
from worker.observability.watch import Watch, watching
from worker.pipeline.batcher import Batcher
from worker.pipeline.decode_pool import DecodePool, DecodeRules
from worker.pipeline.pipeline import Idleness
from worker.pipeline.processing import Answerer, Stations
from worker.pipeline.queue_service import QueueService, Surroundings
from worker.reload import keep_fresh
from worker.settings import WorkerSettings
from worker.signatures import signing
from worker.streams.queues import queues_of
from worker.streams.stream import StreamNames
from worker.streams.verdict_cache import Memory, NoMemory, VerdictCache
from worker.tasks import end

_log = structlog.get_logger("worker")


async def serve(settings: WorkerSettings, judge: ReloadableJudge, around: Surroundings) -> bool:
    """Work until told to stop; False where jobs had to be handed back or the engine was still busy."""
    queues = queues_of(settings, around.consumer)
    async with watching(settings, around.redis_url, queues, networks=judge.needs_pixels) as watch:
        return await _serve(settings, judge, around, queues, watch)


async def _serve(
    settings: WorkerSettings, judge: ReloadableJudge, around: Surroundings, queues: Sequence[StreamNames], watch: Watch
) -> bool:
    conclude = watch.concluding(judge.conclude)
    batcher = Batcher(conclude, size=settings.worker_batch_size, wait_s=settings.worker_batch_wait_ms / 1000)
    async with (
        _stations(settings, judge, batcher, around, queues[0]) as stations,
        _memory(settings, judge, around, queues[0]) as memory,
    ):
        # Enough decoded images for the batch in the engine, the next one, and those being decoded; no more.
        answerer = Answerer(stations, 2 * settings.worker_batch_size + settings.decode_processes, memory)
        fresh = asyncio.create_task(keep_fresh(judge.refresh, around.reload, settings.worker_artifact_check_s))
        try:
            clean = await _serve_queues(settings, answerer, around, queues, watch)
        finally:
            await end(fresh)
            engine_is_done = await batcher.close()
    _log.info("worker has stopped", clean=clean and engine_is_done)
    return clean and engine_is_done


async def _serve_queues(
    settings: WorkerSettings, answerer: Answerer, around: Surroundings, queues: Sequence[StreamNames], watch: Watch
) -> bool:
    """Work on every queue at once until told to stop; whether all of them ended clean."""
    secret = settings.callback_secret.get_secret_value() if settings.callback_secret else None
    allowed = frozenset(settings.callback_allow)
    sign = signing(secret, settings.callback_signature)
    poster = Poster(PostRules(settings.callback_timeout_s, sign, allowed), connections=settings.callback_concurrency)
    idleness = Idleness(len(queues), around.stop.set)
    service = QueueService(settings, around, answerer, poster, watch, idleness)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(service.serve(names)) for names in queues]
    finally:
        await poster.close()
    return all(task.result() for task in running)


@contextlib.asynccontextmanager
async def _memory(
    settings: WorkerSettings, judge: ReloadableJudge, around: Surroundings, names: StreamNames
) -> AsyncIterator[Memory]:
    """Where verdicts are remembered, as the settings say; one place for all queues."""
    if not settings.worker_verdict_cache_s:
        yield NoMemory()
        return
    trusted = hashlib.sha256((official_anchors() + (around.trust_anchors or "")).encode()).hexdigest()[:8]
    cache = VerdictCache(
        around.redis_url,
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
async def _stations(
    settings: WorkerSettings, judge: ReloadableJudge, batcher: Batcher, around: Surroundings, names: StreamNames
) -> AsyncIterator[Stations]:
    """The stations of the road, with the fetcher's connections and the decoding processes behind them."""
    fetcher = Fetcher(
        FetchLimits(
            settings.fetch_max_bytes,
            settings.fetch_timeout_s,
            settings.fetch_attempts,
            frozenset(settings.fetch_allow),
            settings.fetch_user_agent,
        ),
        connections=settings.worker_in_flight,
    )
    uploads = UploadFetcher(around.redis_url, names.jobs, settings.fetch_max_bytes, fetcher.fetch)
    pool = DecodePool(
        DecodeRules(
            settings.decode_processes,
            settings.worker_decode_timeout_s,
            settings.worker_decode_memory_mb,
            DecodeLimits(settings.fetch_max_pixels),
            around.trust_anchors,
        )
    )
    pool.warm()
    analyzers, needs_pixels = judge.analyzers, judge.needs_pixels
    try:
        yield Stations(
            fetch=uploads.fetch,
            examine=lambda data: pool.examine(data, analyzers, needs_pixels),
            conclude=batcher.conclude,
        )
    finally:
        await uploads.close()
        await fetcher.close()
        await asyncio.to_thread(pool.close)
