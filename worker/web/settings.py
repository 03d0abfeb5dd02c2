"""Settings of the gateway. Built only at entry points."""

from typing import ClassVar

from pydantic import Field

from forensics.settings import ProjectSettings

_MEGABYTE = 1024 * 1024


class WebSettings(ProjectSettings):
    """What the gateway can be told; each field is read from the variable of the same name in capitals."""

    prefixes: ClassVar[tuple[str, ...]] = ("WEB_",)

    web_host: str = Field(
        "127.0.0.1", min_length=1, description="Address to serve on; any but loopback makes API keys required."
    )
    web_port: int = Field(8000, ge=1, le=65535, description="Port to serve on.")
    web_keep_s: int = Field(86_400, ge=60, le=31_536_000, description="Seconds a verdict can be asked for.")
    web_image_keep_s: int = Field(
        600, ge=0, le=86_400, description="Seconds an uploaded image is kept after its verdict, for the report."
    )
    web_max_bytes: int = Field(20 * _MEGABYTE, ge=1, description="Largest uploaded file, in bytes.")
    web_uploads_bytes: int = Field(
        512 * _MEGABYTE, ge=1, description="Most bytes of uploaded images in Redis at once; beyond it: 503."
    )
    web_body_s: float = Field(30, gt=0, le=3600, description="Seconds a request may take to send its body.")
    web_bodies_at_once: int = Field(16, ge=1, le=1000, description="Most request bodies held in memory at once.")
    web_connections: int = Field(
        1000, ge=1, le=100_000, description="Most connections at once, each of up to 320 KiB of memory; beyond it: 503."
    )
    web_max_waiting: int = Field(2000, ge=1, description="Jobs in the stream from which new ones are refused: 503.")
    web_max_wait_s: float = Field(60, ge=0, le=600, description="Longest `wait` of a request, in seconds.")
    web_max_batch: int = Field(200, ge=1, le=10_000, description="Most images in one batch.")
    web_rate: str = Field(
        "120/minute", description="Images that one API key, or without keys one address, may send; as in 10/second."
    )
