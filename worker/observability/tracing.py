"""OpenTelemetry traces of jobs, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector; else nothing, at no cost.

A job's `traceparent` (W3C Trace Context) is the parent of its span; fetching, examining, each detector and judging are
spans inside it, and its callback is one behind it, whichever worker delivers it. Callbacks carry the header
`traceparent` in any case.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_log = structlog.get_logger("worker")


class Tracing(Protocol):
    """What becomes of the spans."""

    def span(self, name: str, traceparent: str = "", **told: str) -> AbstractContextManager[str]:
        """A span of that parent, or of the span around it; gives the traceparent for what it leads to elsewhere."""
        ...

    def detectors(self, timings_ms: Mapping[str, float], since_ns: int) -> None:
        """A span inside the present one for each detector, one after the other."""
        ...


class NoTracing:
    """Nobody looks: a job's traceparent goes on as it came."""

    def span(self, name: str, traceparent: str = "", **told: str) -> AbstractContextManager[str]:
        """See Tracing."""
        return contextlib.nullcontext(traceparent)

    def detectors(self, timings_ms: Mapping[str, float], since_ns: int) -> None:
        """See Tracing."""


class OpenTelemetry:
    """Spans of an OpenTelemetry provider."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = provider.get_tracer("img_ml")
        self._propagator = TraceContextTextMapPropagator()

    @contextlib.contextmanager
    def span(self, name: str, traceparent: str = "", **told: str) -> Iterator[str]:
        """See Tracing."""
        parent = self._propagator.extract({"traceparent": traceparent}) if traceparent else None
        with self._tracer.start_as_current_span(name, parent, attributes=told):
            carried: dict[str, str] = {}
            self._propagator.inject(carried)
            yield carried.get("traceparent", "")

    def detectors(self, timings_ms: Mapping[str, float], since_ns: int) -> None:
        """See Tracing."""
        for name, spent_ms in timings_ms.items():
            span = self._tracer.start_span(f"detector {name}", start_time=since_ns)
            since_ns += round(spent_ms * 1_000_000)
            span.end(since_ns)


_tracing: Tracing = NoTracing()


def tracing() -> Tracing:
    """What this process traces with."""
    return _tracing


def now_ns() -> int:
    """The time as spans have it."""
    return time.time_ns()


@contextlib.contextmanager
def traced(provider: "TracerProvider | None") -> Iterator[None]:
    """Inside, spans go to the provider, whose last ones are sent at the end; nowhere where it is None."""
    global _tracing
    before = _tracing
    _tracing = NoTracing() if provider is None else OpenTelemetry(provider)
    try:
        yield
    finally:
        _tracing = before
        if provider is not None:
            provider.shutdown()


def provider_of_environment() -> "TracerProvider | None":
    """A provider that sends to the collector of the environment; None where it names none, or the SDK is missing."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("no traces: OTEL_EXPORTER_OTLP_ENDPOINT is set, but img_ml[tracing] is not installed")
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "img_ml")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
