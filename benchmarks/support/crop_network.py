"""The network `crop_network` of the light profile, for benchmarks that look at it by itself."""

from forensics.errors import WeightsError
from forensics.settings import load as load_settings
from img_ml.engine.engine import Engine
from img_ml.engine.loaded import LearnedDetector
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings

NETWORK = "crop_network"


def light_engine() -> Engine:
    """The light profile as the settings describe it, on the CPU."""
    settings = load_settings(ImgMlSettings)
    return Engine(load_profile("light", settings.model_dir), settings.weights_dir, "cpu")


def crop_network(engine: Engine) -> LearnedDetector:
    """The engine's network; WeightsError where it could not be loaded."""
    for one in engine.loaded:
        if one.name == NETWORK:
            return one
    raise WeightsError(f"The network {NETWORK} cannot be measured: {engine.missing[NETWORK]}")
