"""The worker's settings, from the environment or `.env`; a bad one ends in one sentence and exit code 2."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode
from redis.crc import key_slot

from forensics.sandbox.settings import SandboxSettings
from forensics.settings import load_or_exit as load
from forensics.version import USER_AGENT
from worker.signatures import Scheme, standard_key
from worker.streams.connections import SCHEMES, is_cluster, is_usable
from worker.streams.stream import StreamNames

__all__ = ["WorkerSettings", "load"]

_HOST_AND_PORT = re.compile(r"(?:\[[0-9a-f:.]+\]|[^\s:/@\[\]]+):\d{1,5}")
_WEIGHTED = re.compile(r".+=[1-9]\d{0,2}", re.ASCII)
_MEGABYTE = 1024 * 1024


class WorkerSettings(SandboxSettings):
    """Everything the worker can be told; each field is read from the variable of the same name in capitals."""

    prefixes: ClassVar[tuple[str, ...]] = ("WORKER_", "FETCH_", "CALLBACK_", "EMBEDDED_REDIS_")

    redis_url: str | None = Field(
        None,
        description="Where Redis is (redis://, rediss:// or unix://; redis+cluster:// or rediss+cluster:// for a node "
        "of a Redis Cluster; redis+sentinel://HOST:PORT,HOST:PORT/MASTER for sentinels); unset: a private one is "
        "started.",
    )
    redis_check_rate: int = Field(
        5000, ge=10, le=600_000, description="How long one read waits for new jobs, in milliseconds."
    )
    embedded_redis_dir: Path | None = Field(
        None, description="Folder of the private Redis; unset: img_ml/redis in the user's state folder."
    )
    worker_stream: Annotated[tuple[str, ...], NoDecode] = Field(
        ("stream:ai:imageml:jobs",),
        min_length=1,
        description="Stream the jobs come from; several are separated by commas. In urgent:jobs=4,jobs=1 four of five "
        "jobs in work are of the first, as long as both have any.",
    )
    worker_results: Annotated[tuple[str, ...], NoDecode] = Field(
        ("stream:ai:imageml:results",),
        min_length=1,
        description="Stream the verdicts go to; one for all job streams, or as many as there are.",
    )
    worker_group: str = Field("workers", min_length=1, description="Consumer group all workers share.")
    worker_consumer: str | None = Field(
        None, description="First part of this worker's consumer name, before a unique one; unset: the host name."
    )
    worker_batch_size: int = Field(8, ge=1, le=1024, description="Maximum batch size of the networks.")
    worker_batch_wait_ms: float = Field(
        20, ge=0, le=60_000, description="How long a batch waits to fill up, in milliseconds."
    )
    worker_in_flight: int = Field(
        32, ge=1, le=10_000, description="Maximum jobs in progress at once; job streams share it by their weights."
    )
    worker_lease_s: float = Field(
        15,
        ge=0.2,
        le=3600,
        description="Lease of a job in seconds: after this long without a heartbeat, another worker takes it over.",
    )
    worker_max_deliveries: int = Field(
        5, ge=1, le=1000, description="Deliveries after which an unfinished job becomes a dead letter."
    )
    worker_verdict_cache_s: float = Field(
        0, ge=0, le=31_536_000, description="Seconds a verdict is reused for the same bytes and model; 0: never."
    )
    worker_once_s: float = Field(
        0, ge=0, le=31_536_000, description="Deduplication window for a jobId, in seconds; 0: each job is answered."
    )
    worker_retries: int = Field(
        3, ge=0, le=20, description="Later retries of an image that its server did not deliver."
    )
    worker_retry_delay_s: float = Field(
        5,
        gt=0,
        le=3600,
        description="Seconds before the first of these retries; each further one waits 4 times as long.",
    )
    worker_drain_s: float = Field(25, ge=0, le=3600, description="Seconds to finish jobs in progress on shutdown.")
    worker_artifact_check_s: float = Field(
        5, ge=0, le=86_400, description="Seconds between checks for another artifact in force; 0: on SIGHUP only."
    )
    worker_results_maxlen: int = Field(
        100_000, ge=0, description="Results kept: the result stream is trimmed to about this many; 0: never trim."
    )
    worker_http_port: int = Field(
        0, ge=0, le=65535, description="Port of /livez, /readyz and /metrics; 0: none is opened."
    )
    worker_http_host: str = Field("127.0.0.1", min_length=1, description="Address that port is opened on.")
    worker_engine_s: float = Field(
        600,
        gt=0,
        le=86_400,
        description="Seconds a batch may spend in networks before `/readyz` reports a stall.",
    )
    fetch_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="host:port pairs, separated by commas, exempt from the address rules when images are fetched."
    )
    fetch_user_agent: str = Field(
        USER_AGENT.decode(),
        pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?$",
        description="User-Agent of fetches; some servers want an address in it, as in mysite/1.0 (me@example.com).",
    )
    fetch_max_bytes: int = Field(20 * _MEGABYTE, ge=1, description="Largest image file that is fetched, in bytes.")
    fetch_timeout_s: float = Field(
        15, gt=0, le=3600, description="Timeout of one fetch in seconds, redirects and retries included."
    )
    fetch_per_host: int | None = Field(
        None,
        ge=0,
        le=10_000,
        description="Fetches at once from one host that is slow or not known yet; more jobs of it are put aside. 0: "
        "any number; unset: half of WORKER_IN_FLIGHT.",
    )
    fetch_attempts: int = Field(2, ge=1, le=10, description="Attempts per fetch while the failure may be temporary.")

    callback_secret: SecretStr | None = Field(
        None, description="Secret that signs callbacks (HMAC-SHA256); unset: they are not signed."
    )
    callback_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="host:port pairs, separated by commas, exempt from the address rules when callbacks are posted."
    )
    callback_signature: Scheme = Field(
        "img_ml",
        description="How callbacks are signed: img_ml (X-Img-Ml-Signature), or standard (Standard Webhooks; the secret "
        "is then whsec_ and base64).",
    )
    callback_format: Literal["plain", "cloudevents"] = Field(
        "plain",
        description="What callbacks are: plain JSON, or cloudevents (the same inside a CloudEvents 1.0 envelope).",
    )
    callback_concurrency: int = Field(8, ge=1, le=1000, description="Maximum callbacks posted at once.")
    callback_timeout_s: float = Field(10, gt=0, le=3600, description="Timeout of one callback attempt in seconds.")
    callback_max_attempts: int = Field(
        8, ge=1, le=100, description="Attempts after which an undelivered callback becomes a dead letter."
    )
    callback_retry_s: float = Field(
        1,
        gt=0,
        le=3600,
        description="Longest wait before the second attempt; it grows fourfold per attempt, up to 1 h.",
    )

    @field_validator("callback_secret")
    @classmethod
    def _is_text(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            (value.get_secret_value() if value else "").encode()
        except UnicodeEncodeError:
            raise ValueError("it is not UTF-8; write binary secrets as hexadecimal or base64") from None
        return value

    @field_validator("callback_signature")
    @classmethod
    def _goes_with_the_secret(cls, value: Scheme, info: ValidationInfo) -> Scheme:
        secret = info.data.get("callback_secret")
        if value == "standard" and "callback_secret" in info.data:
            if not secret:
                raise ValueError("CALLBACK_SECRET is not set: give it whsec_ and 24 to 64 random bytes in base64")
            try:
                standard_key(secret.get_secret_value())
            except ValueError as error:
                raise ValueError(f"CALLBACK_SECRET does not fit: {error}") from None
        return value

    @field_validator("fetch_allow", "callback_allow", "worker_stream", "worker_results", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part for part in re.split(r"[,\s]+", value) if part) if isinstance(value, str) else value

    @field_validator("fetch_allow", "callback_allow")
    @classmethod
    def _are_pairs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        value = tuple(pair.lower() for pair in value)
        for pair in value:
            if not _HOST_AND_PORT.fullmatch(pair) or int(pair.rpartition(":")[2]) > 65535:
                raise ValueError(f"{pair!r} is not host:port")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(SCHEMES):
            raise ValueError(f"it must start with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
        if value is not None and not is_usable(value):
            raise ValueError(
                "its port or one of its options is invalid (in a password / is written %2F, and so on with : @ ? #)"
            )
        return value

    @field_validator("worker_stream")
    @classmethod
    def _are_different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({_name(one) for one in value}) < len(value):
            raise ValueError("it names a stream twice")
        return value

    @field_validator("worker_results")
    @classmethod
    def _go_together(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "worker_stream" not in info.data:  # wrong itself, and told so
            return value
        jobs = tuple(_name(one) for one in info.data["worker_stream"])
        if len(value) not in (1, len(jobs)):
            raise ValueError("it must name one stream, or as many as WORKER_STREAM")
        if both := set(value) & set(jobs):
            raise ValueError(f"{min(both)} is a job stream: results written there would be read as jobs")
        if taken := {key for one in jobs for key in _companions(one)} & {*jobs, *value}:
            raise ValueError(f"{min(taken)} is a key that belongs to a job stream of WORKER_STREAM")
        if is_cluster(info.data.get("redis_url") or ""):
            for one, its_results in zip(jobs, _repeated(value, len(jobs)), strict=True):
                if len({key_slot(key.encode()) for key in (one, *_companions(one), its_results)}) > 1:
                    raise ValueError(
                        "on a cluster each job stream and its result stream need one hash tag, as in {a}:jobs and "
                        "{a}:results"
                    )
        return value

    @property
    def queues(self) -> tuple[tuple[str, str], ...]:
        """Each job stream with its result stream."""
        return tuple(zip(self.job_streams, _repeated(self.worker_results, len(self.worker_stream)), strict=True))

    @property
    def job_streams(self) -> tuple[str, ...]:
        """The names of the job streams, without their weights."""
        return tuple(_name(one) for one in self.worker_stream)

    @property
    def per_host(self) -> int:
        """Fetches at once from one slow host, 0 for any number."""
        return (self.worker_in_flight + 1) // 2 if self.fetch_per_host is None else self.fetch_per_host

    def share(self, whole: int, jobs: str) -> int:
        """The part of what the worker may do at once that a job stream has, by its weight; at least 1."""
        weights = {_name(one): _weight(one) for one in self.worker_stream}
        return max(1, whole * weights[jobs] // sum(weights.values()))


def _name(stream: str) -> str:
    return stream.rpartition("=")[0] if _WEIGHTED.fullmatch(stream) else stream


def _weight(stream: str) -> int:
    return int(stream.rpartition("=")[2]) if _WEIGHTED.fullmatch(stream) else 1


def _companions(jobs: str) -> tuple[str, ...]:
    return tuple(StreamNames(jobs, results="", group="", consumer="").companions)


def _repeated(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return names * count if len(names) == 1 else names
