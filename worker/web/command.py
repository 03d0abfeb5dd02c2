"""`img-ml serve`: the gateway, and with REDIS_URL unset a private Redis and one worker beside it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Annotated

import typer
import uvicorn
from rich.console import Console

from fusion.settings import FusionSettings
from img_ml.command import talk_console
from worker.errors import StartError
from worker.settings import WorkerSettings, load
from worker.streams.embedded import redis_at
from worker.web.app import make_app
from worker.web.settings import WebSettings

_RESTART_S = 2.0


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to serve on (default: WEB_HOST); any but loopback needs API keys.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port (default: WEB_PORT).")] = None,
    worker: Annotated[
        bool | None,
        typer.Option("--worker/--no-worker", help="Run a worker too (default: where REDIS_URL is unset)."),
    ] = None,
) -> None:
    """Serve the page and the HTTP API.

    With REDIS_URL unset this one command is the whole system: it starts a private Redis and one worker.

    Exit codes: 0 told to stop, 2 a setting or Redis makes it impossible to start.
    """
    talk = talk_console()
    worker_settings = load(WorkerSettings)
    changes = {name: value for name, value in (("web_host", host), ("web_port", port)) if value is not None}
    settings = load(WebSettings).model_copy(update=changes)
    beside = worker_settings.redis_url is None if worker is None else worker
    # uvicorn raises a SIGTERM again when it has shut down, which would end the process before the worker is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with contextlib.ExitStack() as stack:
            url = stack.enter_context(redis_at(worker_settings.redis_url, worker_settings.embedded_redis_dir))
            if beside:
                stack.enter_context(_worker(url))
            _run(url, worker_settings, settings, talk)
    except StartError as error:
        talk.print(f"Error: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _run(redis_url: str, worker: WorkerSettings, settings: WebSettings, talk: Console) -> None:
    shown = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
    talk.print(f"Open http://{shown}:{settings.web_port}/ (API: /docs, queue: /queue; Ctrl-C ends it)", soft_wrap=True)
    app = make_app(redis_url, worker, settings, load(FusionSettings).language)
    uvicorn.run(
        app,
        host=settings.web_host.strip("[]"),
        port=settings.web_port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
        backlog=2048,
        limit_concurrency=settings.web_connections,
    )


@contextlib.contextmanager
def _worker(redis_url: str) -> Iterator[None]:
    """`python -m worker` on that Redis, started again where it dies, told to stop at the end."""
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def keep() -> None:
        while not stopping.is_set():
            environment = os.environ | {"REDIS_URL": redis_url}
            process = subprocess.Popen([sys.executable, "-m", "worker"], env=environment, stdin=subprocess.DEVNULL)
            running[:] = [process]
            code = process.wait()
            if code == 2:  # it said why it cannot start, and would say so again
                return
            stopping.wait(_RESTART_S)

    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        for process in running:
            process.terminate()
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if process.poll() is None:
                process.kill()
        keeper.join(timeout=5)
