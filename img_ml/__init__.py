"""Learned detectors, their weights and the engine; `from img_ml import judge` is the door for other programs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusion.library import judge

__all__ = ["judge"]


def __getattr__(name: str) -> Any:
    # The door stands here because this is the name people know; what is behind it lies a layer higher.
    if name == "judge":
        from fusion.library import judge

        return judge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
