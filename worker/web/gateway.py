"""The gateway's work behind its routes: who asks, how much they may, and jobs in and out."""

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from limits import parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.requests import Request

from worker.fetching.uploads import SCHEME
from worker.web.bodies import BodyReader, Sent
from worker.web.collector import Collector
from worker.web.keys import Keys
from worker.web.problems import Problem, try_later
from worker.web.settings import WebSettings
from worker.web.store import GatewayStore, WebJob

NOBODY = "web"
COOKIE = "img_ml_key"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Gateway:
    """What every route needs."""

    def __init__(
        self, settings: WebSettings, client: Any, limited: Any, collector: Collector, store: GatewayStore, keys: Keys
    ) -> None:
        """`limited` is the connection pool of the rate limits."""
        self.settings = settings
        self.client = client
        self.collector = collector
        self.store = store
        self.keys = keys
        self.bodies = BodyReader(settings)
        self.needs_key = not is_loopback(settings.web_host)
        storage = RedisStorage("async+redis://localhost:6379", implementation="redispy", connection_pool=limited)
        self._limiter = MovingWindowRateLimiter(storage)
        self._rate = parse(settings.web_rate)
        self.registry = CollectorRegistry()
        self.accepted = Counter("web_accepted", "Images taken in.", registry=self.registry)
        self.refused = Counter("web_refused", "Requests refused.", ["status"], registry=self.registry)
        self.seconds = Histogram("web_request_seconds", "Duration of requests.", ["method"], registry=self.registry)

    async def owner(self, request: Request) -> str:
        """Who asks: the id of their key, or NOBODY where none is needed; Problem 401 or 403 otherwise."""
        token = request.headers.get("x-api-key") or _bearer(request) or request.cookies.get(COOKIE, "")
        if token:
            owner = await self.keys.owner(token)
            if owner is not None:
                return owner
        if self.needs_key:
            told = "An API key is needed: img-ml keys make NAME gives one."
            raise Problem(401, told, {"WWW-Authenticate": "Bearer"})
        _refuse_other_sites(request)
        return NOBODY

    async def take(
        self, request: Request, owner: str, images: Sequence[Sent], once: str = "", *, maps: bool = False
    ) -> list[str]:
        """Accept the images as jobs; their ids. Problem 429 or 503 where there are too many."""
        await self._within_rate(request, owner, len(images))
        if await self.store.waiting() + len(images) > self.settings.web_max_waiting:
            raise try_later(503, "The queue is full; try again later.", 10)
        ids = []
        for image in images:
            url = image.url
            if image.data is not None:
                sha256 = await self.store.keep_upload(image.data)
                if sha256 is None:
                    raise try_later(503, "There is no room for more uploads right now; try again later.", 10)
                url = SCHEME + sha256
            ids.append(await self.store.accept(owner, url, image.name, once, maps=maps))
            self.accepted.inc()
        return ids

    async def job(self, job_id: str, owner: str) -> WebJob:
        """The owner's job; Problem 404 where there is none."""
        found = await self.store.job(job_id, owner)
        if found is None:
            raise Problem(404, "There is no verdict with that id, or it has expired.")
        return found

    async def waited(self, job_id: str, owner: str, seconds: float) -> WebJob:
        """The owner's job once it is answered, or as it is after so many seconds."""
        async with self.collector.awaited(job_id) as answered:
            found = await self.job(job_id, owner)
            if found.state == "waiting" and seconds > 0:
                try:
                    async with asyncio.timeout(min(seconds, self.settings.web_max_wait_s)):
                        await answered.wait()
                except TimeoutError:
                    return found
                found = await self.job(job_id, owner)
        return found

    async def _within_rate(self, request: Request, owner: str, cost: int) -> None:
        address = request.client.host if request.client else ""
        who = owner if owner != NOBODY else f"address:{address}"
        if not await self._limiter.hit(self._rate, "web", who, cost=min(cost, self._rate.amount)):
            raise try_later(429, f"That is more than {self.settings.web_rate}.", self._rate.get_expiry())


def is_loopback(host: str) -> bool:
    """Whether that address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refuse_other_sites(request: Request) -> None:
    """Without keys the gateway serves this machine; a web page elsewhere must not use its visitor's browser for that.

    The name in Host is checked against DNS rebinding, Origin and Sec-Fetch-Site against requests from other pages.
    """
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if name not in _LOCAL_NAMES:
        raise Problem(403, "Without an API key the gateway serves localhost only.")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != host
    if foreign or request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Problem(403, "Requests from other sites are not accepted.")
