"""The library's door: one image in, its verdict out."""

import os
from functools import cache
from pathlib import Path
from typing import BinaryIO

from forensics.examine import Examined, examine
from forensics.reading.decode import DecodeLimits, decode
from forensics.settings import load as load_settings
from fusion.frames import judge_frames
from fusion.judge import Judge, load_judge
from fusion.settings import FusionSettings
from fusion.verdict import Verdict
from img_ml.settings import ImgMlSettings


def judge(image: str | os.PathLike[str] | bytes | BinaryIO, *, profile: str | None = None, frames: int = 1) -> Verdict:
    """The verdict on an image: a path, the file's bytes, or a file opened for reading bytes.

    Of an animation the first frame is judged, or up to `frames` of them; the verdict is then that of the middle one.
    `profile` is tiny, light, standard, full or the path of a profile file (default: IMG_ML_PROFILE). The model is
    loaded at the first call and kept. JobError where the bytes are no image that can be judged, OSError where the
    file cannot be read, ArtifactError or RegistryError where the model cannot be had.
    """
    found, data = _judge(profile), _bytes_of(image)
    return judge_frames(found, lambda frame: _examined(data, found, frame), frames)[0]


def _examined(data: bytes, judge: Judge, frame: int) -> Examined:
    sample = decode(data, DecodeLimits(as_published=judge.as_published), frame)
    return Examined(examine(sample, judge.analyzers), sample)


def _bytes_of(image: str | os.PathLike[str] | bytes | BinaryIO) -> bytes:
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    return image.read()


@cache
def _judge(profile: str | None) -> Judge:
    settings = load_settings(ImgMlSettings)
    chosen = settings if profile is None else settings.model_copy(update={"profile": profile})
    return load_judge(chosen, load_settings(FusionSettings))
