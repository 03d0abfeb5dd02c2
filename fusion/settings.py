"""Settings of the fusion. Built only at entry points."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class FusionSettings(BaseSettings):
    """What decides how a probability becomes a label."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    threshold: float | None = Field(
        None,
        validation_alias="FUSION_THRESHOLD",
        gt=0,
        lt=1,
        description="One threshold instead of the calibrated two: at or above it AI, below it NON-AI, never UNCERTAIN.",
    )
