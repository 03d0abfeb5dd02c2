"""One tree of errors, drawn whole; every package adds its leaves, and a test compares the drawing with the code.

ImgMlError                        a sentence for the user; a command ends with exit code 2
├── JobError                      an image that cannot be judged; `code` and `retryable` go into an error result
│   ├── NotAnImageError           not_an_image
│   ├── TooManyPixelsError        too_many_pixels
│   ├── DecodeFailedError         decode_failed
│   ├── BadJobError               bad_job (worker)
│   ├── BlockedUrlError           blocked_url (worker)
│   ├── FetchFailedError          fetch_failed (worker)
│   │   └── HostBusyError         the same, before anything was asked of the server (worker)
│   ├── TooLargeError             too_large (worker)
│   └── InternalError             internal (worker)
├── UsageError                    options or arguments that do not fit together, or name what is not there
│   └── MissingPackageError       an optional package that the call needs is not installed
├── SettingsError                 a setting in the environment or .env is wrong
├── RegistryError                 a detector declared wrongly, or a name nobody registered
├── TrustAnchorsError             a list of trusted certificates that cannot be read
├── DatasetError                  a dataset that cannot be read or does not suffice
├── TrainingError                 a training that diverged, or a checkpoint that does not fit it
├── ArtifactError                 a model file that is missing, changed or does not fit
│   └── WeightsError              the same of a network's weights, or they cannot be had
├── DeviceError                   the device that the settings name is not there
├── CacheError                    measurements that cannot be kept or read (fusion)
├── CallbackFailedError           a callback that was not taken (worker)
├── UnreadableMessageError        a stream entry that no answer could be addressed to (worker)
├── StartError                    the worker cannot start (worker)
├── NoRedisError                  a command cannot use Redis (worker)
├── BenchmarkError                a benchmark cannot go on (benchmarks)
├── ScoringError                  a folder or table that cannot be scored (scripts)
└── ScoringStoppedError           scoring that stopped before its end (scripts)
"""

from typing import TYPE_CHECKING, ClassVar

# Commands that only show their help need the errors, and not the arrays that the types bring.
if TYPE_CHECKING:
    from forensics.types import ErrorCode


class ImgMlError(Exception):
    """Base of every error this project raises on purpose; its text is a sentence for the user."""


class JobError(ImgMlError):
    """An image that cannot be judged; `code` is the wire code, `retryable` whether trying again may help."""

    code: "ClassVar[ErrorCode]" = "internal"

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

    code: "ClassVar[ErrorCode]" = "not_an_image"


class TooManyPixelsError(JobError):
    """The header announces more pixels than the limit."""

    code: "ClassVar[ErrorCode]" = "too_many_pixels"


class DecodeFailedError(JobError):
    """The format is allowed but the pixels could not be decoded."""

    code: "ClassVar[ErrorCode]" = "decode_failed"


class UsageError(ImgMlError):
    """Options or arguments do not fit together, or name what is not there."""


class MissingPackageError(UsageError):
    """The call needs an optional package that is not installed."""


class SettingsError(ImgMlError):
    """A setting is wrong."""


class DatasetError(ImgMlError):
    """A dataset cannot be read, or does not suffice; the text says what to do."""


class TrainingError(ImgMlError):
    """A training diverged, or its checkpoint does not fit it."""


class DeviceError(ImgMlError):
    """The device that the settings name is not there."""


class RegistryError(ImgMlError):
    """A detector is declared wrongly, or a name is not registered."""


class TrustAnchorsError(ImgMlError):
    """A list of trusted certificates cannot be read."""


class ArtifactError(ImgMlError):
    """A model file is missing, was changed, or does not fit this version."""


class WeightsError(ArtifactError):
    """A network's weights are missing, were changed, cannot be used, or cannot be had."""
