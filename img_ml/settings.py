"""Settings of the detectors: profile, device, where weights live. Built only at entry points."""

import os
import re
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from forensics.settings import ProjectSettings
from img_ml.engine.device import Compile, DeviceUse

PACKAGED_MODELS = Path(__file__).parent / "saved_models"


def default_weights_dir() -> Path:
    """img_ml/weights in the user's data folder: it is kept where caches are cleared, and may be written."""
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "img_ml" / "weights"


class ImgMlSettings(ProjectSettings):
    """What decides which detectors run, and on what."""

    prefixes: ClassVar[tuple[str, ...]] = ("IMG_ML_",)
    elsewhere: ClassVar[tuple[str, ...]] = ("IMG_ML_LANG",)

    profile: str = Field(
        "light",
        validation_alias="IMG_ML_PROFILE",
        description="Profile to run: tiny, light, standard, full, or the path of a profile file of your own (TOML).",
    )
    device: str = Field(
        "auto",
        validation_alias="IMG_ML_DEVICE",
        description="Device for learned detectors: auto, cpu, cuda, cuda:N or mps.",
    )
    device_memory: float | None = Field(
        None,
        validation_alias="IMG_ML_DEVICE_MEMORY",
        ge=0,
        description="GiB of an accelerator's memory that networks may take; what does not fit together takes turns. "
        "Unset: all it has. 0: no plan, nothing is moved.",
    )
    device_views: int = Field(
        8,
        validation_alias="IMG_ML_DEVICE_VIEWS",
        ge=1,
        le=1024,
        description="Maximum number of views in a batch on an accelerator; set it with `WORKER_BATCH_SIZE`.",
    )
    compiled: Compile = Field(
        "off",
        validation_alias="IMG_ML_COMPILE",
        description="Networks run as they are (off), compiled by torch.compile (compile), or compiled and replayed "
        "as CUDA graphs (graphs).",
    )
    model_dir: Path = Field(
        PACKAGED_MODELS,
        validation_alias="IMG_ML_MODEL_DIR",
        description="Folder of model files, one subfolder a profile; the packaged one when unset.",
    )
    weights_dir: Path = Field(
        default_factory=default_weights_dir,
        validation_alias="IMG_ML_WEIGHTS_DIR",
        description="Folder of pulled weights; unset: img_ml/weights in the user's data folder.",
    )
    hf_token: SecretStr | None = Field(
        None,
        validation_alias="HF_TOKEN",
        description="Hugging Face token for weights that need one; read when weights are pulled.",
    )
    c2pa_trust_anchors: Path | None = Field(
        None,
        validation_alias="C2PA_TRUST_ANCHORS",
        description="PEM file of certificates that are trusted to sign with C2PA, beside C2PA's own list.",
    )

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
            raise ValueError("it must be auto, cpu, cuda, cuda:N or mps")
        return value

    @property
    def device_use(self) -> DeviceUse:
        """How the device is used."""
        return DeviceUse(self.device_memory, self.device_views, self.compiled)
