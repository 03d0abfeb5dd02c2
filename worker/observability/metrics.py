"""The worker's numbers in Prometheus format; imported only where somebody may ask for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fusion.verdict import Verdict
from worker.observability.telemetry import JobAnswered
from worker.streams.queue_state import QueueState

CONTENT_TYPE = CONTENT_TYPE_LATEST
STAGES = ("fetch", "examine", "conclude", "total")

_STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60)
_DETECTOR_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Counts what it is told, in a registry of its own; may be told from any thread."""

    def __init__(
        self,
        in_work: Callable[[], int],
        queues: Callable[[], Mapping[str, QueueState | None]],
        ready: Callable[[], bool],
    ) -> None:
        """`in_work`, `queues` (states by job stream) and `ready` are asked whenever a page is made."""
        self._registry = CollectorRegistry()
        registry = self._registry
        self._jobs = Counter("img_ml_jobs", "Jobs answered, by label or error code.", ["outcome"], registry=registry)
        self._redelivered = Counter(
            "img_ml_jobs_redelivered", "Jobs answered after more than one delivery.", registry=registry
        )
        self._reused = Counter("img_ml_verdicts_reused", "Jobs answered from the verdict cache.", registry=registry)
        self._stages = Histogram(
            "img_ml_stage_seconds",
            "Time one job spends in a stage.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._batches = Histogram(
            "img_ml_batch_size", "Images in one batch.", buckets=_BATCH_BUCKETS, registry=registry
        )
        self._detectors = Histogram(
            "img_ml_detector_seconds",
            "Time of one detector for one image (its share of the batch, for learned ones).",
            ["detector"],
            buckets=_DETECTOR_BUCKETS,
            registry=registry,
        )
        self._artifact = Info("img_ml_artifact", "The artifact that made the last verdict.", registry=registry)
        self._fingerprint = ""
        Gauge("img_ml_jobs_in_work", "Jobs in progress in this worker.", registry=registry).set_function(in_work)
        Gauge(
            "img_ml_ready", "1 while the worker gets on with its work, as /readyz tells.", registry=registry
        ).set_function(lambda: float(ready()))
        ProcessCollector(registry=registry)
        registry.register(_QueueCollector(queues))

    def answered(self, event: JobAnswered) -> None:
        """Count one job that came to its end."""
        self._jobs.labels(event.outcome).inc()
        if event.deliveries > 1:
            self._redelivered.inc()
        if event.reused:
            self._reused.inc()
        for stage in STAGES:
            if stage in event.timings_ms:
                self._stages.labels(stage).observe(event.timings_ms[stage] / 1000)

    def concluded(self, verdicts: Sequence[Verdict]) -> None:
        """Count one batch that the engine has finished."""
        self._batches.observe(len(verdicts))
        for verdict in verdicts:
            for detector, milliseconds in verdict.evidence.timings_ms.items():
                self._detectors.labels(detector).observe(milliseconds / 1000)
            if verdict.fingerprint != self._fingerprint:
                self._fingerprint = verdict.fingerprint
                self._artifact.info({"profile": verdict.profile, "fingerprint": verdict.fingerprint})

    def page(self) -> bytes:
        """All of it in text format."""
        return generate_latest(self._registry)


_QUEUE_NUMBERS: Mapping[str, tuple[str, Callable[[QueueState], float]]] = {
    "stream_length": ("Jobs waiting or in progress across all workers.", lambda state: state.length),
    "stream_lag": ("Jobs that were never delivered.", lambda state: state.lag),
    "stream_pending": ("Jobs delivered to a worker and not finished.", lambda state: state.pending),
    "jobs_postponed": ("Jobs waiting for another fetch attempt.", lambda state: state.postponed),
    "oldest_job_age_seconds": (
        "Age of the oldest job, 0 without jobs.",
        lambda state: state.oldest_age_s or 0.0,
    ),
    "dead_letters": ("Dead letters waiting for an operator.", lambda state: state.dead_letters),
    "callbacks_waiting": ("Callbacks still to be delivered.", lambda state: state.callbacks),
    "callback_dead_letters": ("Callbacks that were given up.", lambda state: state.callback_dead_letters),
    "results_length": ("Results in the result stream.", lambda state: state.results),
}


class _QueueCollector(Collector):
    """The queues as Redis last told; without their numbers where it did not, as stale ones would pass for true."""

    def __init__(self, queues: Callable[[], Mapping[str, QueueState | None]]) -> None:
        self._queues = queues

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()  # else registering would ask for the queue

    def collect(self) -> Iterator[GaugeMetricFamily]:
        states = self._queues()
        up = GaugeMetricFamily("img_ml_redis_up", "1 when the queue state could be read from Redis.", labels=["stream"])
        for stream, state in states.items():
            up.add_metric([stream], float(state is not None))
        yield up
        for name, (meaning, number) in _QUEUE_NUMBERS.items():
            family = GaugeMetricFamily(f"img_ml_{name}", meaning, labels=["stream"])
            for stream, state in states.items():
                if state is not None:
                    family.add_metric([stream], number(state))
            yield family
