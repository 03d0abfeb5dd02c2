"""`python -m benchmarks.support.constant_worker NAME IN_FLIGHT quiet|log`: the real stream layer, a constant answer.

The pipeline, the stream and the result writer are the worker's own; only the processor, which would fetch and
judge, is not.
"""

import asyncio
import sys
from typing import cast

from benchmarks.support.streams.constant import GROUP, JOBS, RESULTS, redis_url, result
from worker.observability.telemetry import JobAnswered, Observer, configure_logging, log_answer
from worker.pipeline.pipeline import Pipeline, PipelineRules
from worker.pipeline.processing import JobProcessor, JobResult
from worker.streams.messages import Job
from worker.streams.stream import JobStream, StreamNames


class ConstantProcessor:
    """Knows the answer already."""

    def __init__(self) -> None:
        self._answer = JobResult({}, result(), "NON-AI", {})

    async def answer(self, job: Job) -> JobResult:
        """The same for every job."""
        return self._answer


def _quiet(event: JobAnswered) -> None:
    """Nobody listens."""


async def main(name: str, in_flight: int, observe: Observer) -> None:
    """Work until killed."""
    stream = JobStream(redis_url(), StreamNames(JOBS, RESULTS, GROUP, name), block_ms=5000, lease_s=15)
    rules = PipelineRules(in_flight=in_flight)
    try:
        await Pipeline(stream, cast(JobProcessor, ConstantProcessor()), rules, observe).run(asyncio.Event())
    finally:
        await stream.close()


if __name__ == "__main__":
    configure_logging()
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), log_answer if sys.argv[3] == "log" else _quiet))
