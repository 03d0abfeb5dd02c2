"""What the worker tells about itself: log lines on stderr, and one event per answered job for whoever listens."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog
import structlog.tracebacks

from forensics.printable import printable


@dataclass(frozen=True, slots=True)
class JobAnswered:
    """One job came to its end, or was put aside.

    `outcome` is a label, an error code, `dead_letter`, `postponed`, or `repeated` where its job id had been answered
    before. `reused` says that the verdict on these bytes was known.
    """

    job_id: str
    entry_id: str
    outcome: str
    deliveries: int
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False


class Observer(Protocol):
    """Whoever wants to know of every answered job; must return quickly and not raise."""

    def __call__(self, event: JobAnswered) -> None:
        """Take note of the event."""
        ...


def log_answer(event: JobAnswered) -> None:
    """The observer that writes one log line per answered job."""
    structlog.get_logger("worker").info(
        "job answered",
        job_id=event.job_id,
        entry=event.entry_id,
        outcome=event.outcome,
        deliveries=event.deliveries,
        **({"reused": True} if event.reused else {}),
        **{f"{name}_ms": round(value, 1) for name, value in event.timings_ms.items()},
    )


def configure_logging(*, verbose: bool = False) -> None:
    """Log to stderr: readable on a terminal, one JSON object per line elsewhere."""
    on_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([_without_escapes] if on_terminal else [_TRACEBACKS]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


# Locals stay out: among them are secrets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def _without_escapes(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What a stranger wrote moves no cursor and colours nothing on a terminal."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}


def one_line(error: BaseException) -> str:
    """An exception as one short line for a log."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
