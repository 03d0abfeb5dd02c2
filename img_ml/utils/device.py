"""`from img_ml.utils.device import get_device`: the device by the name that the original's users know."""

from forensics.settings import load as load_settings
from img_ml.engine.device import choose_device
from img_ml.settings import ImgMlSettings


def get_device() -> str:
    """The device string for torch that the setting IMG_ML_DEVICE asks for; "auto" is the first that is there."""
    return choose_device(load_settings(ImgMlSettings).device)
