"""The gateway as an ASGI app, with what lives as long as it: connections, the reader of results, the rate limits."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.asyncio import ConnectionPool
from starlette.exceptions import HTTPException

from worker.settings import WorkerSettings
from worker.streams.connections import connect
from worker.streams.queues import queues_of
from worker.streams.retry import REDIS_UNAVAILABLE
from worker.tasks import end
from worker.web import api, pages, problems
from worker.web.collector import Collector
from worker.web.gateway import Gateway
from worker.web.keys import Keys
from worker.web.settings import WebSettings
from worker.web.store import GatewayStore

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: a form would then be sent with "Origin: null", which is refused as another site.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def make_app(redis_url: str, worker: WorkerSettings, settings: WebSettings, language: str = "en") -> FastAPI:
    """The app of a gateway to the queues of the worker's settings; `language` is the fallback."""
    queues = queues_of(worker)
    jobs = queues[0].jobs

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client, reading, pool = connect(redis_url), connect(redis_url), ConnectionPool.from_url(redis_url)
        store = GatewayStore(client, jobs, settings)
        collector = Collector(reading, store, queues)
        with contextlib.suppress(*REDIS_UNAVAILABLE):  # it is tried again, and readyz tells
            await collector.find_places()
        app.state.gateway = Gateway(settings, client, pool, collector, store, Keys(client, jobs))
        app.state.queues = queues
        task = asyncio.create_task(collector.run())
        try:
            yield
        finally:
            await end(task)
            await reading.aclose()
            await client.aclose()
            await pool.disconnect()

    app = FastAPI(
        title="img_ml",
        summary="Says whether an image was made by a machine, and why.",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.language = language
    app.include_router(api.router)
    app.include_router(pages.router)
    app.add_exception_handler(problems.Problem, pages.of_problem)
    app.add_exception_handler(HTTPException, pages.of_http)
    app.add_exception_handler(RequestValidationError, pages.of_validation)
    for error in REDIS_UNAVAILABLE:
        app.add_exception_handler(error, _redis_is_away)
    app.middleware("http")(_around)
    return app


async def _redis_is_away(request: Request, _: Exception) -> Response:
    return await pages.of_problem(
        request, problems.try_later(503, "The queue cannot be reached right now; try again later.")
    )


async def _around(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Every answer carries the security headers and is counted."""
    started = time.perf_counter()
    answer = await call_next(request)
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    gateway = request.app.state.gateway
    gateway.seconds.labels(request.method if request.method in ("GET", "POST") else "other").observe(
        time.perf_counter() - started
    )
    if answer.status_code >= 400:
        gateway.refused.labels(str(answer.status_code)).inc()
    return answer
