"""One tree of errors; every package adds its leaves.

ImgMlError
├── JobError                 carries `code` and `retryable`; becomes an error result
│   ├── NotAnImageError      not_an_image
│   ├── TooManyPixelsError   too_many_pixels
│   ├── DecodeFailedError    decode_failed
│   └── (worker.errors)      bad_job, blocked_url, fetch_failed, too_large, internal
├── RegistryError            a detector declared wrongly, or a name nobody registered
├── TrustAnchorsError        a list of trusted certificates that cannot be read
└── ArtifactError            a model file that is missing, changed or does not fit (fusion, img_ml)
    └── WeightsError         the same of a network's published weights, or they cannot be had
"""

from typing import ClassVar

from forensics.types import ErrorCode


class ImgMlError(Exception):
    """Base of every error this project raises on purpose; its text is a sentence for the user."""


class JobError(ImgMlError):
    """An image that cannot be judged; `code` is the wire code, `retryable` whether trying again may help."""

    code: ClassVar[ErrorCode] = "internal"

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and these cross process borders.
        return _rebuild, (type(self), str(self), self.retryable)


def _rebuild(kind: type[JobError], message: str, retryable: bool) -> JobError:
    return kind(message, retryable=retryable)


class NotAnImageError(JobError):
    """The bytes are not of an allowed image format."""

    code: ClassVar[ErrorCode] = "not_an_image"


class TooManyPixelsError(JobError):
    """The header announces more pixels than the limit."""

    code: ClassVar[ErrorCode] = "too_many_pixels"


class DecodeFailedError(JobError):
    """The format is allowed but the pixels could not be decoded."""

    code: ClassVar[ErrorCode] = "decode_failed"


class RegistryError(ImgMlError):
    """A detector is declared wrongly, or a name is not registered."""


class TrustAnchorsError(ImgMlError):
    """A list of trusted certificates cannot be read."""


class ArtifactError(ImgMlError):
    """A model file is missing, was changed, or does not fit this version."""


class WeightsError(ArtifactError):
    """A network's weights are missing, were changed, cannot be used, or cannot be had."""
