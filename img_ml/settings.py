"""Settings of the detectors: profile, device, where weights live. Built only at entry points."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGED_MODELS = Path(__file__).parent / "saved_models"


def default_weights_dir() -> Path:
    """img_ml/weights in the user's data folder: it is kept where caches are cleared, and may be written."""
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "img_ml" / "weights"


class ImgMlSettings(BaseSettings):
    """What decides which detectors run, and on what."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    profile: str = Field(
        "light",
        validation_alias="IMG_ML_PROFILE",
        description="Profile to run: light, standard, full, or the path of a profile file of your own (TOML).",
    )
    device: str = Field(
        "auto",
        validation_alias="IMG_ML_DEVICE",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="Device for learned detectors: auto, cpu, cuda, cuda:N or mps.",
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
        description="PEM file of certificates whose C2PA signatures are trusted; without it no signature decides.",
    )
