"""Settings of the fusion. Built only at entry points."""

import re
from typing import ClassVar

from pydantic import Field, field_validator

from forensics.settings import ProjectSettings
from fusion.output.messages import LANGUAGES


class FusionSettings(ProjectSettings):
    """What decides how a probability becomes a label."""

    prefixes: ClassVar[tuple[str, ...]] = ("FUSION_",)

    threshold: float | None = Field(
        None,
        validation_alias="FUSION_THRESHOLD",
        gt=0,
        lt=1,
        description="One threshold instead of the calibrated two: at or above it AI, below it NON-AI, never UNCERTAIN.",
    )
    language: str = Field(
        "en",
        validation_alias="IMG_ML_LANG",
        description="Language of what people read about a verdict: en or de; a locale's name is understood too.",
    )

    @field_validator("language")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if re.split(r"[-_.]", value.lower())[0] not in LANGUAGES:
            raise ValueError(f"it must be {' or '.join(LANGUAGES)}")
        return value
