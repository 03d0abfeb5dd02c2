"""The worker's leaves of the error tree (drawn in forensics/errors.py)."""

from typing import ClassVar

from forensics.errors import ImgMlError, JobError
from forensics.types import ErrorCode


class BadJobError(JobError):
    """The job names no image that could be fetched."""

    code: ClassVar[ErrorCode] = "bad_job"


class BlockedUrlError(JobError):
    """The URL, or a redirect from it, leads where the worker does not go."""

    code: ClassVar[ErrorCode] = "blocked_url"


class FetchFailedError(JobError):
    """The server did not deliver the image; `retryable` where it may do so later, `retry_after_s` if it said when."""

    code: ClassVar[ErrorCode] = "fetch_failed"

    def __init__(self, message: str, *, retryable: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message, retryable=retryable)
        self.retry_after_s = retry_after_s


class HostBusyError(FetchFailedError):
    """Nothing was asked of the server yet, because enough slow fetches from it are under way."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, retryable=True, retry_after_s=retry_after_s)


class TooLargeError(JobError):
    """The file is larger than the limit."""

    code: ClassVar[ErrorCode] = "too_large"


class InternalError(JobError):
    """The worker itself failed on this image; the fault is not the image's."""

    code: ClassVar[ErrorCode] = "internal"


class CallbackFailedError(ImgMlError):
    """A callback was not taken; `permanent` where no later attempt could change that.

    `tried` is False where no request was made, which counts as no attempt; `soon` where it may be tried in a moment.
    """

    def __init__(self, message: str, *, permanent: bool = False, tried: bool = True, soon: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.tried = tried
        self.soon = soon


class UnreadableMessageError(ImgMlError):
    """A stream entry that no answer could be addressed to; it becomes a dead letter."""


class StartError(ImgMlError):
    """The worker cannot start; the text says why in one sentence."""


class NoRedisError(ImgMlError):
    """Redis cannot be used by a command; the text says why in one sentence."""
