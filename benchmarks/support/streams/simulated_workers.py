"""`python -m benchmarks.support.streams.simulated_workers PREFIX WORKERS IN_FLIGHT RATE`: many workers in one process.

Each has a pipeline and connections of its own, as a real one; only the answer is waited for instead of worked out.
"""

import asyncio
import random
import sys
from typing import cast

from benchmarks.support.streams.constant import GROUP, JOBS, RESULTS, redis_url, result
from worker.observability.telemetry import JobAnswered
from worker.pipeline.pipeline import Pipeline, PipelineRules
from worker.pipeline.processing import JobProcessor, JobResult
from worker.streams.messages import Job
from worker.streams.stream import JobStream, StreamNames

_BLOCK_MS, _LEASE_S = 5000, 15.0


class WaitingProcessor:
    """Takes as long for a job as a worker that is full of them: exponentially distributed around the mean."""

    def __init__(self, mean_s: float, dice: random.Random) -> None:
        self._mean_s = mean_s
        self._dice = dice
        self._answer = JobResult({}, result(), "NON-AI", {})

    async def answer(self, job: Job) -> JobResult:
        """The same for every job, later."""
        await asyncio.sleep(self._dice.expovariate(1 / self._mean_s))
        return self._answer


def _quiet(event: JobAnswered) -> None:
    """Nobody listens."""


async def _work(name: str, in_flight: int, rate: float) -> None:
    names = StreamNames(JOBS, RESULTS, GROUP, name, results_maxlen=100_000)
    stream = JobStream(redis_url(), names, block_ms=_BLOCK_MS, lease_s=_LEASE_S)
    processor = cast(JobProcessor, WaitingProcessor(in_flight / rate, random.Random(name)))
    try:
        await Pipeline(stream, processor, PipelineRules(in_flight, _LEASE_S), _quiet).run(asyncio.Event())
    finally:
        await stream.close()


async def main(prefix: str, workers: int, in_flight: int, rate: float) -> None:
    """Work until killed."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(workers):
            tasks.create_task(_work(f"{prefix}-{number}", in_flight, rate))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
