"""A real Chromium, and the whole system behind a page in it."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.worker.fixtures import client, redis_server
from tests.worker.gateway.gateway_server import GatewayServer, running_gateway
from tests.worker.processes import WorkerProcess
from tests.worker.redis_server import RedisServer

__all__ = ["client", "redis_server"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no Chromium on PATH (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def gateway(client: Any, redis_server: RedisServer) -> Iterator[GatewayServer]:
    with (
        running_gateway(redis_server.url) as server,
        WorkerProcess({"REDIS_URL": redis_server.url, "IMG_ML_PROFILE": "tiny"}, module="worker") as worker,
    ):
        worker.until_ready()
        yield server


@pytest.fixture
def page(chromium: Any, gateway: GatewayServer) -> Iterator[Any]:
    context = chromium.new_context(locale="en-US", base_url=gateway.url, accept_downloads=True)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    context.close()
    assert not problems
