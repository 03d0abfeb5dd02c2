"""Verdicts that are known already, by the bytes of the image and what judged them; kept in Redis for a while."""

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from forensics.types import Skipped
from fusion.output.result import result_model
from fusion.verdict import Verdict
from worker.observability.telemetry import one_line
from worker.streams.connections import connect
from worker.streams.retry import REDIS_UNAVAILABLE

# A cache that answers late is worse than none, and one that did not answer is left alone for a while.
_ASKING_S = 1.0
_PAUSE_S = 10.0
_OF_ONE_JOB: Mapping[str, Any] = {"job_id": None, "client_id": None, "image_url": None, "timings_ms": {}}
_log = structlog.get_logger("worker.verdict_cache")


@dataclass(frozen=True, slots=True)
class CachedVerdict:
    """The document of an earlier verdict on the same bytes, without what belongs to one job."""

    document: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The verdict's label."""
        return str(self.document["label"])


class Cache(Protocol):
    """Where verdicts are remembered; never raises over a Redis that is away."""

    async def find(self, data: bytes) -> CachedVerdict | None:
        """The verdict on these bytes by the model in force; None where it is not known."""
        ...

    async def keep(self, verdict: Verdict, document: Mapping[str, Any]) -> None:
        """Remember the document of a verdict, unless a detector failed this time or it could not be written down."""
        ...


class NoCache:
    """Remembers nothing."""

    async def find(self, data: bytes) -> CachedVerdict | None:
        """Nothing is known."""
        return None

    async def keep(self, verdict: Verdict, document: Mapping[str, Any]) -> None:
        """Forget it."""


class VerdictCache:
    """Verdicts in Redis under `prefix`, each for `keep_s` seconds.

    A verdict is found again only by the same bytes, the same artifact (`fingerprint` tells the one in force) and the
    same `configuration`: whatever else it depends on.
    """

    def __init__(
        self, url: str, prefix: str, *, configuration: str, fingerprint: Callable[[], str], keep_s: float
    ) -> None:
        self._client = connect(url, timeout_s=_ASKING_S)
        self._prefix = prefix
        self._configuration = configuration
        self._fingerprint = fingerprint
        self._keep_ms = max(1, round(keep_s * 1000))
        self._silent_until = -math.inf

    async def find(self, data: bytes) -> CachedVerdict | None:
        """The verdict on these bytes by the model in force; None where it is not known, or Redis does not tell."""
        key = self._key(await asyncio.to_thread(_sha256, data), self._fingerprint())
        found = await self._asked(lambda: self._client.get(key))
        return None if found is None else _remembered(found)

    async def keep(self, verdict: Verdict, document: Mapping[str, Any]) -> None:
        """Remember the document of a verdict under the artifact that made it, without what belongs to its job.

        Not where a detector failed this time, and not where the verdict could not be written down.
        """
        failed = any(isinstance(signal, Skipped) and signal.failed for signal in verdict.evidence.signals)
        if failed or document["status"] != "done":
            return
        key = self._key(verdict.evidence.image_sha256, verdict.fingerprint)
        text = json.dumps({**document, **_OF_ONE_JOB}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        await self._asked(lambda: self._client.set(key, text, px=self._keep_ms))

    async def _asked(self, command: Callable[[], Awaitable[Any]]) -> Any:
        """The reply; None where Redis gives none, or gave none a moment ago."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            async with asyncio.timeout(_ASKING_S):
                return await command()
        except (TimeoutError, *REDIS_UNAVAILABLE) as error:
            self._silent_until = time.monotonic() + _PAUSE_S
            _log.warning("verdict cache unavailable", pause_s=_PAUSE_S, error=one_line(error))
            return None

    def _key(self, sha256: str, fingerprint: str) -> str:
        return f"{self._prefix}:{fingerprint}:{self._configuration}:{sha256}"

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _remembered(found: bytes) -> CachedVerdict | None:
    """The document, if it is one: what stands in Redis may be somebody else's."""
    try:
        document = result_model().model_validate_json(found)
    except ValidationError as error:
        _log.warning("malformed entry in the verdict cache ignored", error=one_line(error))
        return None
    if document.status != "done":
        return None
    return CachedVerdict(document.model_dump(mode="json"))
