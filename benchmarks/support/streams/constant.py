"""The same work for every contestant: jobs of 200 bytes, a result of 1 KB. Nothing but the standard library here."""

import json
import os

JOBS = "stream:ai:imageml:jobs"
RESULTS = "stream:ai:imageml:results"
GROUP = "workers"
JOB_BYTES = 200
RESULT_BYTES = 1024


def job(number: int) -> str:
    """The JSON of one job."""
    content = {"jobId": f"job-{number:08d}", "clientId": "benchmark", "image_url": "https://images.example/"}
    content["image_url"] += "x" * (JOB_BYTES - len(json.dumps(content)))
    return json.dumps(content)


def result() -> str:
    """The JSON of every result."""
    content = {"status": "done", "label": "NON-AI", "reasoning": ""}
    content["reasoning"] = "x" * (RESULT_BYTES - len(json.dumps(content)))
    return json.dumps(content)


def redis_url() -> str:
    """Where the benchmark's Redis is, for a process that it has started."""
    return os.environ["BENCHMARK_REDIS_URL"]
