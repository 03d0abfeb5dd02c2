"""What the gateway keeps in Redis: jobs with their answers, uploads under a total cap, batches. All of it expires."""

import hashlib
import itertools
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from worker.fetching.uploads import SCHEME, upload_key
from worker.streams.maps import MapStore
from worker.web.settings import WebSettings

State = Literal["waiting", "done", "error", "given_up"]
_LUA = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class WebJob:
    """A job as its owner sees it; `document` is the result document once there is one, `name` what the owner calls it.

    `sha256` is that of an upload; empty where the image lies behind a URL.
    """

    job_id: str
    owner: str
    name: str
    sha256: str
    state: State
    document: dict[str, Any] | None


class GatewayStore:
    """The gateway's keys beside the first job stream, `<jobs>:web:...` and `<jobs>:upload...`."""

    def __init__(self, client: Any, jobs: str, settings: WebSettings) -> None:
        self._client = client
        self._jobs = jobs
        self._settings = settings
        self._accept = client.register_script((_LUA / "accept.lua").read_text(encoding="utf-8"))
        self._keep = client.register_script((_LUA / "keep_upload.lua").read_text(encoding="utf-8"))
        self._maps = MapStore(client, jobs)
        self._answer = client.register_script((_LUA / "answered.lua").read_text(encoding="utf-8"))

    async def keep_upload(self, data: bytes) -> str | None:
        """Keep the bytes for a job that will be accepted next; their SHA-256, or None where there is no room."""
        sha256 = hashlib.sha256(data).hexdigest()
        keep_s = self._settings.web_keep_s
        kept = await self._keep(
            keys=self._upload_keys(sha256),
            args=[sha256, data, int(time.time()), keep_s, self._settings.web_uploads_bytes],
        )
        return sha256 if kept else None

    async def accept(self, owner: str, image_url: str, name: str, once: str = "", *, maps: bool = False) -> str:
        """Put a job on the stream; its id, or with `once` the id of the job that was accepted under the same word."""
        job_id = str(uuid.uuid4())
        sha256 = image_url.removeprefix(SCHEME) if image_url.startswith(SCHEME) else ""
        message = json.dumps({"jobId": job_id, "clientId": owner, "image_url": image_url, "maps": maps})
        fields = {"owner": owner, "name": name, "sha256": sha256, "state": "waiting"}
        once_key = hashlib.sha256(f"{owner}\0{once}".encode()).hexdigest()
        found: bytes = await self._accept(
            keys=[
                self._job_key(job_id),
                self._jobs,
                f"{self._jobs}:web:once:{once_key}",
                *self._upload_keys(sha256),
            ],
            args=[
                job_id,
                self._settings.web_keep_s,
                message,
                once,
                sha256,
                int(time.time()),
                self._settings.web_image_keep_s,
                *itertools.chain(*fields.items()),
            ],
        )
        return found.decode()

    async def job(self, job_id: str, owner: str) -> WebJob | None:
        """The owner's job of that id; None where there is none, or it is somebody else's."""
        try:
            known = str(uuid.UUID(job_id))
        except ValueError:
            return None
        found = await self._client.hgetall(self._job_key(known))
        fields = {name.decode(): value.decode() for name, value in found.items()}
        if not fields or fields["owner"] != owner:
            return None
        document = json.loads(fields["document"]) if "document" in fields else None
        return WebJob(known, owner, fields["name"], fields["sha256"], fields["state"], document)

    async def answered(self, job_id: str, document: str, state: State) -> str | None:
        """Write an answer to its job; the job's owner, or None where the job is not the gateway's or has one."""
        key = self._job_key(job_id)
        owner, sha256 = await self._client.hmget(key, "owner", "sha256")
        if owner is None:
            return None
        sha = (sha256 or b"").decode()
        bytes_key, expiry, sizes, waiting = self._upload_keys(sha)
        written = await self._answer(
            keys=[key, bytes_key, expiry, sizes, waiting],
            args=[document, state, sha, int(time.time()), self._settings.web_image_keep_s],
        )
        return owner.decode() if written else None

    async def image(self, job: WebJob) -> bytes | None:
        """The bytes of the job's upload, while they are kept."""
        if not job.sha256:
            return None
        found: bytes | None = await self._client.get(upload_key(self._jobs, job.sha256))
        return found

    async def maps(self, job: WebJob) -> dict[str, bytes]:
        """The maps of a job that asked for them, by detector, as PNG; empty where there are none, or no longer."""
        return await self._maps.read(job.job_id)

    async def make_batch(self, owner: str, job_ids: Sequence[str]) -> str:
        """Remember jobs as one batch; its id."""
        batch_id = str(uuid.uuid4())
        content = json.dumps({"owner": owner, "jobs": list(job_ids)})
        await self._client.set(f"{self._jobs}:web:batch:{batch_id}", content, ex=self._settings.web_keep_s)
        return batch_id

    async def batch(self, batch_id: str, owner: str) -> list[str] | None:
        """The ids of the owner's batch; None where there is none, or it is somebody else's."""
        try:
            known = uuid.UUID(batch_id)
        except ValueError:
            return None
        found = await self._client.get(f"{self._jobs}:web:batch:{known}")
        content: dict[str, Any] = json.loads(found) if found else {}
        return list(content["jobs"]) if content.get("owner") == owner else None

    async def waiting(self) -> int:
        """The number of jobs in the stream."""
        return int(await self._client.xlen(self._jobs))

    async def position(self, stream: str) -> str | None:
        """The id of the last entry of that stream that was looked at."""
        found = await self._client.hget(f"{self._jobs}:web:position", stream)
        return found.decode() if found else None

    async def set_position(self, stream: str, entry_id: str) -> None:
        """Remember the last entry that was looked at, for the next start."""
        await self._client.hset(f"{self._jobs}:web:position", stream, entry_id)

    def _job_key(self, job_id: str) -> str:
        return f"{self._jobs}:web:job:{job_id}"

    def _upload_keys(self, sha256: str) -> list[str]:
        uploads = f"{self._jobs}:uploads"
        return [upload_key(self._jobs, sha256), f"{uploads}:expiry", f"{uploads}:sizes", f"{uploads}:waiting"]
