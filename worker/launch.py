"""Launching a worker in this process: the private Redis, the consumer name, signals, and the event loop."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog

from fusion.interface import ReloadableJudge
from worker.fetching.resolver import bound_the_systems_patience
from worker.observability.tracing import provider_of_environment, traced
from worker.pipeline.queue_service import RunContext
from worker.service import serve
from worker.settings import WorkerSettings
from worker.streams.access import check_access
from worker.streams.consumer import consumer_name
from worker.streams.embedded import redis_at
from worker.streams.queues import queues_of

_log = structlog.get_logger("worker")
_SECRETS = ("CALLBACK_SECRET", "REDIS_URL", "HF_TOKEN")


def run_worker(
    settings: WorkerSettings,
    judge: Callable[[], ReloadableJudge],
    *,
    stop_when_idle_s: float | None = None,
    trust_anchors: str | None = None,
) -> None:
    """Run until SIGTERM, SIGINT or idleness; a second signal cuts the draining short. StartError where it cannot start.

    `judge` is called once Redis is known to be usable. Installs signal handlers, so only an entry point calls this.
    """
    bound_the_systems_patience()
    _forget_secrets()
    with (
        traced(provider_of_environment()),
        redis_at(settings.redis_url, settings.embedded_redis_dir) as url,
    ):
        _log.info("redis", place=_without_password(url), private=settings.redis_url is None)
        consumer = consumer_name(settings.worker_consumer)
        clean = asyncio.run(_run(settings, judge, url, consumer, stop_when_idle_s, trust_anchors))
    if not clean:
        # A thread may still be inside a network that will not return; everything else is put in order by now.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _run(
    settings: WorkerSettings,
    judge: Callable[[], ReloadableJudge],
    url: str,
    consumer: str,
    stop_when_idle_s: float | None,
    trust_anchors: str | None,
) -> bool:
    stop, hurry, reload = asyncio.Event(), asyncio.Event(), asyncio.Event()
    _listen_for_signals(stop, hurry, reload)
    await check_access(url, queues_of(settings))
    context = RunContext(url, consumer, stop, hurry, reload, stop_when_idle_s, trust_anchors)
    return await serve(settings, judge(), context)


def _listen_for_signals(stop: asyncio.Event, hurry: asyncio.Event, reload: asyncio.Event) -> None:
    def heard() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, heard)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(heard))
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reload.set)


def _forget_secrets() -> None:
    """Take the secrets, which the settings hold by now, out of the environment that decoding processes inherit."""
    for name in _SECRETS:
        os.environ.pop(name, None)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
