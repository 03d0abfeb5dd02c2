"""Detectors' maps of judged images in Redis: those of the last jobs that asked for them, and not for long."""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEEP_S = 600
# A map is at most some 150 KB, mostly a tenth of that, and a profile has few: tens of megabytes altogether.
MOST_JOBS = 100
_LUA = Path(__file__).parent / "lua"


class MapStore:
    """The keys `<jobs>:maps:<job id>`, each a JSON object from detector to PNG in base64; `<jobs>:maps` lists them."""

    def __init__(self, client: Any, jobs: str) -> None:
        """`jobs` is the first job stream's name."""
        self._client = client
        self._place = f"{jobs}:maps"
        self._keep = client.register_script((_LUA / "keep_maps.lua").read_text(encoding="utf-8"))

    async def keep(self, job_id: str, maps: Mapping[str, bytes]) -> None:
        """Keep the maps of a job for KEEP_S seconds, and of MOST_JOBS jobs at once; the oldest go."""
        content = json.dumps({detector: base64.b64encode(png).decode() for detector, png in maps.items()})
        args = [job_id, content, time.time(), KEEP_S, MOST_JOBS]
        await self._keep(keys=[f"{self._place}:{job_id}", self._place], args=args)

    async def read(self, job_id: str) -> dict[str, bytes]:
        """The job's maps by detector, as PNG; empty where there are none, or no longer."""
        found = await self._client.get(f"{self._place}:{job_id}")
        content: Mapping[str, str] = json.loads(found) if found else {}
        return {detector: base64.b64decode(png) for detector, png in content.items()}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
