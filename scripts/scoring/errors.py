"""Why a dataset cannot be scored, or was not scored to its end."""

from forensics.errors import ImgMlError


class ScoringError(ImgMlError):
    """Nothing can be scored as asked; the text says what to change."""


class ScoringStoppedError(ImgMlError):
    """The run ended before its time; what was finished is kept."""
