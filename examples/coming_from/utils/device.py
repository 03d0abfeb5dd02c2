"""`from utils.device import get_device`: `img_ml.utils.device` here."""

from img_ml.utils.device import get_device

__all__ = ["get_device"]
