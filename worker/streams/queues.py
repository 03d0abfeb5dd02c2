"""The queues of one worker: a job stream each, with the keys that belong to it."""

from worker.settings import WorkerSettings
from worker.streams.stream import StreamNames


def queues_of(settings: WorkerSettings, consumer: str = "") -> tuple[StreamNames, ...]:
    """The names of each queue in the settings, in their order."""
    return tuple(
        StreamNames(jobs, results, settings.worker_group, consumer, settings.worker_results_maxlen)
        for jobs, results in settings.queues
    )
